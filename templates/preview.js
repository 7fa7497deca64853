// The page of `tidings preview --serve`: shows one mail in many ways, and follows what changes.
"use strict";

const view = { what: "", language: "", tab: "html", width: "700", dark: false, forced: false, bare: false };
Object.assign(view, Object.fromEntries(new URLSearchParams(location.hash.slice(1))));
for (const mode of ["dark", "forced", "bare"]) view[mode] = view[mode] === true || view[mode] === "true";

const byId = (id) => document.getElementById(id);
const element = (name, text, className) => {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
};
let look = null;
let asked = 0;

/** Fills a select with [value, label] pairs, keeping what is chosen. */
function choices(select, pairs, chosen) {
  select.replaceChildren(...pairs.map(([value, label]) => new Option(label, value, false, value === chosen)));
  return select.value;
}

/** The HTML as the chosen client would show it. */
function dressed(html) {
  if (view.dark) html = html.replaceAll("(prefers-color-scheme: dark)", "all");
  if (view.bare) html = html.replace(/(<img\b[^>]*?) src="[^"]*"/g, "$1 src=\"\"");
  return html.replace("<head>", "<head><base target=\"_blank\">");
}

function frame(html, url) {
  const before = document.querySelector("iframe");
  const made = document.createElement("iframe");
  made.title = "The mail";
  // No script of a mail runs; its height can be asked for.
  made.setAttribute("sandbox", "allow-same-origin allow-popups allow-popups-to-escape-sandbox");
  made.style.width = view.width + "px";
  // As high as the one before, so that who reads stays where they are.
  made.style.height = before ? before.style.height : "80vh";
  if (view.forced) made.style.filter = "invert(1) hue-rotate(180deg)";
  made.addEventListener("load", () => {
    made.style.height = made.contentDocument.documentElement.scrollHeight + "px";
  });
  if (url) made.src = url; else made.srcdoc = dressed(html);
  return made;
}

function draw() {
  for (const button of document.querySelectorAll("[data-tab]")) button.setAttribute("aria-pressed", button.dataset.tab === view.tab);
  for (const button of document.querySelectorAll("[data-width]")) button.setAttribute("aria-pressed", button.dataset.width === view.width);
  for (const button of document.querySelectorAll("[data-mode]")) button.setAttribute("aria-pressed", view[button.dataset.mode]);
  const isFramed = ["html", "page", "why"].includes(view.tab);
  for (const button of document.querySelectorAll("[data-width], [data-mode]")) button.disabled = !isFramed;
  history.replaceState(null, "", "#" + new URLSearchParams(view));
  if (!look) return;
  const shown = {
    html: () => frame(look.html),
    text: () => element("pre", look.text, "text"),
    code: () => element("pre", look.html),
    source: () => element("pre", look.source),
    page: () => (look.page ? frame(look.page) : element("p", "This mail has no page on the web.")),
    why: () => frame("", "/why"),
  };
  byId("stage").replaceChildren((shown[view.tab] || shown.html)());
  byId("subject").textContent = look.subject;
  byId("preheader").textContent = look.preheader;
  const share = Math.min(100, (100 * look.html_bytes) / look.budget);
  byId("size").textContent = `${(look.html_bytes / 1000).toFixed(1)} KB of ${look.budget / 1000} KB that every mailbox shows`;
  byId("bar").className = share < 100 ? "bar" : "bar full";
  byId("bar").firstChild.style.width = share + "%";
  byId("sizes").textContent = `Whole mail ${(look.mail_bytes / 1000).toFixed(1)} KB, ${look.lines} lines of text`;
  byId("checks").replaceChildren(...look.checks.map((check) => {
    const bad = check.problems.length > 0;
    const item = element("li", check.rule, bad ? (check.weight === "untidy" ? "note" : "bad") : "good");
    for (const problem of check.problems.slice(0, 5)) item.append(element("small", problem));
    if (check.problems.length > 5) item.append(element("small", `and ${check.problems.length - 5} more`));
    return item;
  }));
}

async function load() {
  const number = ++asked;
  const answer = await fetch(`/look?${new URLSearchParams({ what: view.what, language: view.language })}`);
  const body = await (answer.ok ? answer.json() : answer.text());
  // Somebody has chosen another one meanwhile.
  if (number !== asked) return;
  look = answer.ok ? body : null;
  if (!look) {
    byId("stage").replaceChildren(element("p", body));
    for (const id of ["subject", "preheader", "size", "sizes", "checks"]) byId(id).replaceChildren();
  }
  draw();
}

/** Waits for the next change, for ever. */
async function follow() {
  let version = 0;
  for (;;) {
    try {
      const answer = await fetch(`/state?after=${version}`);
      const state = await answer.json();
      if (state.version === version) continue;
      version = state.version;
      document.title = byId("title").textContent = state.title;
      byId("problem").hidden = !state.problem;
      byId("problem").textContent = state.problem || "";
      view.what = choices(byId("what"), state.mails, view.what);
      view.language = choices(byId("language"), state.languages, view.language || state.language);
      byId("feeds").textContent = state.feeds;
      byId("trouble").replaceChildren(...state.trouble.map((line) => element("li", line, "note")));
      await load();
    } catch {
      byId("problem").hidden = false;
      byId("problem").textContent = "The preview has ended. Start `tidings preview --serve` again; this page finds it.";
      version = 0;
      await new Promise((resume) => setTimeout(resume, 1000));
    }
  }
}

byId("what").addEventListener("change", (event) => { view.what = event.target.value; load(); });
byId("language").addEventListener("change", (event) => { view.language = event.target.value; load(); });
byId("tabs").addEventListener("click", (event) => { if (event.target.dataset.tab) { view.tab = event.target.dataset.tab; draw(); } });
byId("widths").addEventListener("click", (event) => { if (event.target.dataset.width) { view.width = event.target.dataset.width; draw(); } });
byId("modes").addEventListener("click", (event) => { const mode = event.target.dataset.mode; if (mode) { view[mode] = !view[mode]; draw(); } });
byId("fetch").addEventListener("click", () => fetch("/fetch", { method: "POST" }));
follow();
