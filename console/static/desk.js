// The desk without a script is complete; this keeps an open page fresh: clocks tick, changes arrive, nothing typed is lost.

const announcer = document.getElementById("announcer");
const live = () => document.querySelector("[data-live][data-stream]");
const fill = (sentence, values) => sentence.replace(/\{(\w+)\}/g, (all, name) => (name in values ? values[name] : all));

function announce(text) {
  if (!announcer || !text) return;
  announcer.textContent = "";
  setTimeout(() => { announcer.textContent = text; }, 50);
}

/* Clocks: the server's words for the numbers, so that no language lives in this file. */

const words = announcer ? announcer.dataset : {};
const BADGES = { plenty: "badge-ok", soon: "badge-warn", overdue: "badge-late" };

function span(minutes) {
  const hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
  if (days >= 2) return fill(words.spanDays, { days, hours: hours - days * 24 });
  if (hours >= 1) return fill(words.spanHours, { hours, minutes: minutes % 60 });
  return fill(words.spanMinutes, { minutes });
}

function tick() {
  if (!words.clockLeft) return;
  const now = Date.now() + skew;
  for (const clock of document.querySelectorAll(".clock[data-due]")) {
    const due = Date.parse(clock.dataset.due), soon = Date.parse(clock.dataset.soon);
    const state = now > due ? "overdue" : now > soon ? "soon" : "plenty";
    const text = fill(state === "overdue" ? words.clockOverdue : words.clockLeft, { span: span(Math.floor(Math.abs(due - now) / 60000)) });
    if (clock.textContent !== text) clock.textContent = text;
    if (clock.dataset.state !== state) {
      clock.classList.remove(BADGES[clock.dataset.state]);
      clock.classList.add(BADGES[state]);
      clock.dataset.state = state;
    }
  }
}

// The reader's clock may be wrong; the server said what time it was when it made the page.
const skew = words.now ? Date.parse(words.now) - Date.now() : 0;
setInterval(tick, 30000);

/* Forms: what somebody is writing is never replaced. */

const isDirty = (form) => [...form.elements].some((field) => {
  if (field.tagName === "TEXTAREA" || (field.tagName === "INPUT" && !["hidden", "submit"].includes(field.type))) return field.value !== field.defaultValue || (field.tagName === "TEXTAREA" && field.value.trim() !== "");
  if (field.tagName === "SELECT") return field.selectedIndex > 0 && !field.options[field.selectedIndex].defaultSelected;
  return false;
});
const isBusy = (region) => region.contains(document.activeElement) && /^(TEXTAREA|INPUT|SELECT)$/.test(document.activeElement.tagName)
  || [...region.querySelectorAll("form")].some(isDirty);

function prepare(root) {
  for (const area of root.querySelectorAll("textarea[data-limit]")) {
    const hint = document.getElementById(area.getAttribute("aria-describedby"));
    if (!hint || hint.querySelector(".counter")) continue;
    const counter = document.createElement("span");
    counter.className = "counter";
    hint.append(counter);
    const limit = Number(area.dataset.limit);
    const count = () => {
      const used = [...area.value].length;
      counter.hidden = used === 0;
      counter.textContent = fill(area.dataset.counter, { count: used, limit });
      counter.classList.toggle("is-over", used > limit);
    };
    area.addEventListener("input", count);
    count();
  }
  for (const field of root.querySelectorAll("[data-filters]")) {
    const select = document.getElementById(field.dataset.filters), input = field.querySelector("input");
    if (!select || !input) continue;
    field.hidden = false;
    const all = [...select.querySelectorAll("option")].map((option) => ({ option, home: option.parentNode }));
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLowerCase().split(/\s+/);
      for (const { option, home } of all) {
        const fits = !option.value || option.selected || wanted.every((word) => option.textContent.toLowerCase().includes(word));
        if (fits && !option.isConnected) home.append(option);
        if (!fits && option.isConnected) option.remove();
      }
    });
  }
}
// Regions as the server sent them, to tell its changes from ours.
const served = new WeakMap();
for (const region of document.querySelectorAll("[data-live]")) served.set(region, region.innerHTML);
prepare(document);

let isLeaving = false;
document.addEventListener("submit", (event) => {
  isLeaving = true;
  // A double click is one act.
  const button = event.submitter;
  if (button) setTimeout(() => { button.disabled = true; }, 0);
});
addEventListener("pageshow", () => {
  isLeaving = false;
  for (const button of document.querySelectorAll("button[disabled]")) button.disabled = false;
});
addEventListener("beforeunload", (event) => {
  const acts = document.getElementById("acts");
  if (!isLeaving && acts && [...acts.querySelectorAll("form")].some(isDirty)) event.preventDefault();
});
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.account[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.account[open]")) { menu.open = false; menu.querySelector("summary").focus(); }
});
if (document.getElementById("refusal")) {
  const field = document.querySelector("[aria-invalid=true]");
  (field || document.getElementById("refusal")).scrollIntoView({ block: "center" });
  if (field) field.focus({ preventScroll: true });
}

/* Live updates */

function swap(fresh) {
  let held = false;
  for (const region of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(region.id);
    if (!next) { if (!("hasForms" in region.dataset)) region.replaceChildren(); continue; }
    const html = next.innerHTML;
    if (html === served.get(region)) { copyData(next, region); continue; }
    if ("hasForms" in region.dataset && isBusy(region)) { held = true; continue; }
    const open = [...region.querySelectorAll("details[open][id]")].map((one) => one.id);
    const focused = region.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const known = new Set([...region.querySelectorAll("[data-row]")].map((row) => row.dataset.row));
    region.replaceChildren(...document.importNode(next, true).childNodes);
    served.set(region, html);
    copyData(next, region);
    for (const id of open) { const one = document.getElementById(id); if (one) one.open = true; }
    for (const row of region.querySelectorAll("[data-row]")) row.classList.toggle("is-fresh", !known.has(row.dataset.row));
    if (focused) { const again = [...region.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused); if (again) again.focus({ preventScroll: true }); }
    prepare(region);
  }
  tick();
  return held;
}

function copyData(from, to) {
  if (from.dataset.stamp) to.dataset.stamp = from.dataset.stamp;
}

let isLoading = false, again = false;
async function refresh(state) {
  if (isLoading) { again = true; return; }
  isLoading = true;
  try {
    // After a refused act the address is the act's; the ticket's own page is one step up.
    const address = location.pathname.replace(/^(\/console\/tickets\/[^/]+)\/[a-z]+$/, "$1") + location.search;
    const response = await fetch(address, { headers: { Accept: "text/html" }, credentials: "same-origin" });
    if (response.redirected && new URL(response.url).pathname.startsWith("/console/sign-in")) { signedOut(); return; }
    if (response.status === 404) { notice(live()?.dataset.gone); return; }
    if (!response.ok) return;
    const held = swap(new DOMParser().parseFromString(await response.text(), "text/html"));
    const acts = document.getElementById("acts");
    const changed = document.getElementById("acts-changed");
    if (held && acts && changed) { changed.textContent = acts.dataset.changed; changed.hidden = false; }
    announce(fill(live()?.dataset.changed || "", state.counts || {}));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // no network: the stream reconnects and rings again
  } finally {
    isLoading = false;
    if (again) { again = false; refresh(state); }
  }
}

function notice(text) {
  if (!text) return;
  let box = document.getElementById("desk-notice");
  if (!box) {
    box = document.createElement("p");
    box.id = "desk-notice";
    box.className = "notice notice-warn";
    box.setAttribute("role", "status");
    document.getElementById("content").prepend(box);
  }
  box.textContent = text;
  box.hidden = false;
}

function signedOut() {
  // Words in a form are handed back by the server when they are sent; an idle page goes to the sign-in form.
  const acts = document.getElementById("acts");
  if (!acts || ![...acts.querySelectorAll("form")].some(isDirty)) { isLeaving = true; location.reload(); }
}

function listen() {
  const region = live();
  if (!region || !window.EventSource) return;
  const source = new EventSource(region.dataset.stream);
  let lost = 0;
  source.addEventListener("changed", (event) => {
    const state = JSON.parse(event.data);
    if (state.stamp !== live()?.dataset.stamp) refresh(state);
  });
  source.addEventListener("signed_out", () => { source.close(); signedOut(); });
  source.addEventListener("gone", () => { source.close(); notice(live()?.dataset.gone); });
  source.addEventListener("open", () => {
    clearTimeout(lost);
    const box = document.getElementById("desk-notice");
    if (box && box.dataset.lost) box.remove();
  });
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) { refresh({}); setTimeout(listen, 15000); return; }
    clearTimeout(lost);
    lost = setTimeout(() => {
      notice(words.connectionLost);
      document.getElementById("desk-notice").dataset.lost = "1";
    }, 8000);
  });
  addEventListener("pagehide", () => source.close(), { once: true });
}
addEventListener("pageshow", (event) => { if (event.persisted) listen(); });
listen();
tick();
