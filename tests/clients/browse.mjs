// Looks at HTML files in Chromium: at four widths, by day and by night, with axe-core.
//
//     node browse.mjs CHROMIUM FILE|URL ...
//
// Prints a line of JSON for each file: {"file": …, "problems": [...]}.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const WIDTHS = [320, 375, 700, 1200];
// Nothing on the network is asked for, not even by the browser itself.
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
];

const [executablePath, ...files] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: FLAGS });

/** What is smaller on a phone than people can read; the line for the list of mails is not meant to be read. */
function smallTexts() {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const small = [];
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    const size = parseFloat(getComputedStyle(parent).fontSize);
    const text = walker.currentNode.textContent.trim();
    if (text && size < 14 && !parent.closest(".preheader")) small.push(`“${text.slice(0, 30)}” has ${size} px`);
  }
  return small;
}

for (const file of files) {
  const problems = [];
  for (const colorScheme of ["light", "dark"]) {
    // Our own pages let no script run but theirs; axe-core is one.
    const context = await browser.newContext({ colorScheme, bypassCSP: true });
    // A picture that is not there is no reason to wait.
    await context.route((url) => url.protocol.startsWith("http") && url.hostname !== "127.0.0.1", (route) => route.abort());
    const page = await context.newPage();
    await page.goto(file.startsWith("http") ? file : pathToFileURL(file).href);
    // A page that fetches what it shows says when it is there.
    if (file.startsWith("http") && (await page.locator("script[src]").count()) > 0) await page.waitForSelector("iframe");
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 900 });
      const needed = await page.evaluate(() => document.documentElement.scrollWidth);
      if (needed > width) problems.push(`at ${width} px it scrolls sideways: it needs ${needed}`);
    }
    await page.setViewportSize({ width: 375, height: 900 });
    problems.push(...(await page.evaluate(smallTexts)));
    await page.addScriptTag({ path: AXE });
    const { violations } = await page.evaluate(() => axe.run());
    for (const { id, help, nodes } of violations) {
      problems.push(`${colorScheme}: ${help} (${id}), for example ${nodes[0].html.slice(0, 120)}`);
    }
    await context.close();
  }
  console.log(JSON.stringify({ file, problems: [...new Set(problems)] }));
}
await browser.close();
