// Does in Chromium what readers do: sign up, confirm, choose, leave, come back; and looks at each page with axe-core.
//
//     node readers.mjs CHROMIUM URL MAILDIR LANGUAGE WORDS SCRIPTS
//
// WORDS is a JSON object: what the pages say in that language. SCRIPTS is "yes" or "no": whether the browser runs any.
// Prints a line of JSON: {"file": URL, "problems": [...]}.

import { createRequire } from "node:module";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
];
const [executablePath, url, maildir, language, wordsJson, scripts] = process.argv.slice(2);
const words = JSON.parse(wordsJson);
const address = `reader-${language}-${scripts}@example.org`;
const problems = [];

/** The text part of the mails to our reader. */
function letters() {
  const folder = join(maildir, "new");
  return readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .filter((mail) => mail.includes(`To: ${address}`))
    .map((mail) => mail.replaceAll("=\n", "").replaceAll("=3D", "="));
}

/** The first link to that page in a mail to our reader, as soon as there is one. */
async function link(page) {
  for (let patience = 0; patience < 200; patience += 1) {
    const found = letters().map((mail) => mail.match(new RegExp(`${url}${page}/[0-9a-z]+`))).find(Boolean);
    if (found) return found[0];
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`no mail leads to ${page}`);
}

const browser = await chromium.launch({ executablePath, args: FLAGS });
const context = await browser.newContext({
  javaScriptEnabled: scripts === "yes", locale: language, bypassCSP: true, viewport: { width: 375, height: 800 },
});
let bytes = 0;
const page = await context.newPage();
page.on("request", (request) => {
  if (new URL(request.url()).origin !== new URL(url).origin) problems.push(`it asks for ${request.url()}`);
});
page.on("response", async (response) => {
  const body = await response.body().catch(() => "");
  bytes += body.length;
});

/** What is wrong with the page that is shown. */
async function look(name) {
  const heading = await page.locator("h1").innerText();
  if (heading !== words[name]) problems.push(`${name}: its heading is “${heading}”, not “${words[name]}”`);
  if (scripts !== "yes") return;
  await page.addScriptTag({ path: AXE });
  const { violations } = await page.evaluate(() => axe.run());
  for (const { id, help, nodes } of violations) problems.push(`${name}: ${help} (${id}), for example ${nodes[0].html.slice(0, 120)}`);
}
const press = (label) => page.getByRole("button", { name: label }).first().click();

try {
  await page.goto(url);
  await look("home");
  if (bytes > 30_000) problems.push(`the first page has ${bytes} bytes`);
  await page.getByLabel(words.address).fill(address);
  await page.getByRole("checkbox").first().check();
  await page.getByLabel(words.weekly).check();
  await press(words.subscribe);
  // Nobody is faster than two seconds, and who is has to press once more.
  if ((await page.locator("h1").innerText()) === words.home) {
    await look("home");
    await page.waitForTimeout(2_200);
    await press(words.subscribe);
  }
  await look("sent");
  await page.goto(await link("confirm"));
  await look("question");
  await press(words.confirm);
  await look("confirmed");
  await page.getByRole("link", { name: words.preferences }).click();
  await look("preferences");
  if (!(await page.getByLabel(words.weekly).isChecked())) problems.push("the choice of a cadence is lost");
  await page.getByLabel(words.daily).check();
  await page.locator("#hour").selectOption("6");
  await page.locator("#paused_until").fill("2099-12-24");
  await press(words.save);
  await look("preferences");
  if (!(await page.getByRole("status").innerText()).includes(words.saved)) problems.push("nothing says that it is saved");
  await page.reload().catch(() => {});
  if ((await page.locator("#paused_until").inputValue()) !== "2099-12-24") problems.push("the pause is lost");
  await page.goto(await link("u"));
  await look("leave");
  await press(words.leaveNow);
  await look("left");
  await press(words.undo);
  await look("back");
  await page.goto(`${url}archive?lang=${language}`);
  await look("archive");
  await page.locator("#q").fill("Sprachmodelle");
  await page.locator("#q").press("Enter");
  await look("search");
  await page.locator("main h3 a").first().click();
  if (!(await page.locator("#address").isVisible())) problems.push("a story has no form to follow it");
} catch (error) {
  problems.push(`it stops at ${page.url()}: ${error.message.slice(0, 400)}`);
}
console.log(JSON.stringify({ file: url, problems }));
await browser.close();
