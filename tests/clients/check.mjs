// Checks HTML files: mails by what mail programs understand (caniemail.com) and as HTML, others as HTML only.
//
//     node check.mjs [mail|page] FILE ...
//
// Prints a line of JSON for each file: {"file": …, "problems": [...]}.

import { readFileSync } from "node:fs";
import { caniemail, rawData } from "caniemail";
import { HtmlValidate } from "html-validate";

// The large ones, and those of German readers.
const CLIENTS = [
  "gmail.*", "outlook.*", "apple-mail.*", "yahoo.*", "gmx.*", "web-de.*", "t-online-de.*", "thunderbird.*", "samsung-email.*",
];

// What a client that does not know it leaves out, and the mail is none the worse.
const HARMLESS = {
  "<body> element": "its colours are on the table inside, too",
  "role attribute": "for readers who listen, where the client lets them",
  "lang attribute": "for readers who listen, where the client lets them",
  "dir attribute": "only on stories that run from right to left, whose letters know it themselves",
  "@media": "dark colours, where there are any; without them it is a light mail",
  "@media (prefers-color-scheme)": "the same",
  "<style> element": "has nothing in it but that media query",
  "border-radius": "a button with corners",
};

// The data has no word on some clients' features, and the package throws at that. Unknown is what they are.
for (const feature of rawData.data) {
  for (const other of rawData.data) {
    for (const [client, platforms] of Object.entries(other.stats)) {
      feature.stats[client] ??= {};
      for (const platform of Object.keys(platforms)) feature.stats[client][platform] ??= { 0: "u" };
    }
  }
}

const validator = new HtmlValidate({
  extends: ["html-validate:recommended"],
  rules: { "no-inline-style": "off", "long-title": "off", "no-trailing-whitespace": "off" },
});

// Mails are written in the HTML of 1999 where clients know no other.
const mailValidator = new HtmlValidate({
  extends: ["html-validate:recommended"],
  rules: {
    "no-deprecated-attr": "off",
    "no-inline-style": "off",
    "prefer-native-element": "off",
    "presentation-role-style": "off",
    "long-title": "off",
    "no-trailing-whitespace": "off",
  },
});

function unsupported(html) {
  const problems = [];
  for (const [client, issues] of caniemail({ clients: CLIENTS, html }).issues.errors) {
    for (const { title } of issues) {
      if (!(title in HARMLESS)) problems.push(`${client} does not know ${title}`);
    }
  }
  return problems;
}

const [kind, ...files] = process.argv.slice(2);
for (const file of files) {
  const html = readFileSync(file, "utf8");
  const report = await (kind === "mail" ? mailValidator : validator).validateString(html, file);
  const invalid = report.results.flatMap((result) =>
    result.messages.map((message) => `line ${message.line}: ${message.message} (${message.ruleId})`),
  );
  const problems = [...new Set([...(kind === "mail" ? unsupported(html) : []), ...invalid])];
  console.log(JSON.stringify({ file, problems }));
}
