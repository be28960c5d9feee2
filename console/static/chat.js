/* The chat page, enhanced. Without this file every form still works; with it nothing is reloaded and nothing is lost:
   a message keeps one client_id from the first attempt to the last, so that the server may see it twice and answer once.
   Markup comes from the page's <template>s, sentences from #strings; text from people is only ever set as textContent. */

const $ = (id) => document.getElementById(id);
const words = JSON.parse($("strings").textContent);
const say = (key, values = {}) =>
  (words[key] || key).replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));

const log = $("log"), scroller = $("scroll"), replies = $("replies"), typing = $("typing"), jump = $("jump");
const composer = $("composer"), input = $("text"), counter = $("counter"), connection = $("connection");
const csrf = composer.elements.csrf.value;

const LONG_TEXT = 1200, LONG_LINES = 30, EXTRACT = 400; // as in _chat_message.html
const COUNT_FROM = 2000;
const SEND_TIMEOUT_MS = 30000, MAX_WAITS = 3, MAX_WAIT_S = 60;
const CONTINUED_MS = 5 * 60000;
const SHANGHAI_MS = 8 * 3600000; // no daylight saving since 1991
const KEPT_UNSENT = "qingsheng.unsent", KEPT_DRAFT = "qingsheng.draft";

document.documentElement.classList.add("js");

// ── Time, in Shanghai ───────────────────────────────────────────────────────────────────────────────────────────
const inShanghai = (ms) => new Date(ms + SHANGHAI_MS).toISOString();
const dayOf = (ms) => inShanghai(ms).slice(0, 10);
const clockOf = (ms) => inShanghai(ms).slice(11, 16);

function dayLabel(day) {
  if (day === dayOf(Date.now())) return say("today");
  if (day === dayOf(Date.now() - 86400000)) return say("yesterday");
  const parts = { month: "long", day: "numeric", weekday: "short", timeZone: "UTC" };
  if (day.slice(0, 4) !== dayOf(Date.now()).slice(0, 4)) parts.year = "numeric";
  return new Intl.DateTimeFormat(document.documentElement.lang, parts).format(new Date(`${day}T00:00:00Z`));
}

const timeOf = (node) => {
  const time = node.querySelector("time");
  return time && time.dateTime ? Date.parse(time.dateTime) : Date.now();
};

// ── Messages on the page ────────────────────────────────────────────────────────────────────────────────────────
const seen = new Set(Array.from(log.querySelectorAll("[data-id]"), (node) => Number(node.dataset.id)));
let lastId = Math.max(0, ...seen);

function buildMessage({ side, author, text, at, id }) {
  const kind = ["bot", "person", "staff"].includes(side) ? side : "system";
  const node = $(`message-${kind}`).content.firstElementChild.cloneNode(true);
  const time = node.querySelector("time");
  if (time) {
    const ms = at ? Date.parse(at) : Date.now();
    time.dateTime = new Date(ms).toISOString();
    time.textContent = clockOf(ms);
  }
  if (author && kind !== "person" && kind !== "system") node.querySelector(".msg-author").textContent = author;
  setBody(node.querySelector(".msg-bubble"), text || "");
  if (id) settle(node, id);
  return node;
}

function setBody(bubble, text) {
  if (text.length <= LONG_TEXT && text.split("\n").length - 1 <= LONG_LINES) {
    bubble.querySelector(".msg-text").textContent = text;
    return;
  }
  const long = $("message-long").content.firstElementChild.cloneNode(true);
  const count = Array.from(text).length;
  long.querySelector(".when-closed").textContent = say("expand", { count: count.toLocaleString("en-US") });
  long.querySelector(".msg-whole").textContent = text;
  long.querySelector(".msg-extract").textContent = `${Array.from(text.slice(0, EXTRACT * 2)).slice(0, EXTRACT).join("")}…`;
  bubble.replaceChildren(long);
}

/** The message has its number from the server: it is safe, and its place is fixed. */
function settle(node, id) {
  node.id = `m${id}`;
  node.dataset.id = id;
  node.classList.remove("is-sending", "is-waiting", "is-failed", "is-offline");
  const state = node.querySelector(".msg-state");
  if (state) state.remove();
  seen.add(id);
  lastId = Math.max(lastId, id);
}

/** Puts a node where its number belongs; those without a number (being sent) stay last. */
function place(node) {
  const id = Number(node.dataset.id) || Infinity;
  let before = null;
  for (let other = log.lastElementChild; other; other = other.previousElementSibling) {
    if (other === node || other.classList.contains("day")) continue;
    if ((Number(other.dataset.id) || Infinity) > id) before = other;
    else break;
  }
  const day = dayOf(timeOf(node));
  const label = before && before.previousElementSibling;
  if (label && label.classList.contains("day") && dayOf(timeOf(before)) !== day) before = label;
  if (node.parentNode !== log || (before ? node.nextElementSibling !== before : node !== log.lastElementChild)) {
    log.insertBefore(node, before);
  }
  let prev = node.previousElementSibling;
  const isLabelled = prev && prev.classList.contains("day");
  if (isLabelled) prev = prev.previousElementSibling;
  const isNewDay = !prev || dayOf(timeOf(prev)) !== day;
  if (isNewDay && !isLabelled) log.insertBefore(newLabel(day), node);
  const author = (of) => { const name = of.querySelector(".msg-author"); return name ? name.textContent : ""; };
  const continued = !isNewDay && prev.dataset.side === node.dataset.side && author(prev) === author(node)
    && timeOf(node) - timeOf(prev) < CONTINUED_MS && !prev.querySelector(".msg-state");
  node.classList.toggle("is-continued", continued);
  const head = node.querySelector(".msg-head");
  if (head) head.classList.toggle("vh", continued);
}

function newLabel(day) {
  const label = document.createElement("div");
  label.className = "day";
  label.dataset.day = day;
  label.textContent = dayLabel(day);
  return label;
}

function relabelDays() {
  for (const label of log.querySelectorAll(".day")) {
    if (!label.dataset.day) label.dataset.day = dayOf(timeOf(label.nextElementSibling));
    const text = dayLabel(label.dataset.day);
    if (label.textContent !== text) label.textContent = text;
  }
}

function setReplies(buttons) {
  for (const old of replies.querySelectorAll("button")) old.remove();
  for (const { title, payload } of buttons || []) {
    const button = document.createElement("button");
    button.type = "submit"; button.className = "chip"; button.name = "payload"; button.value = payload; button.textContent = title;
    replies.append(button);
  }
  replies.hidden = !buttons || !buttons.length;
}

/** Messages from the server, by whichever way they came. */
function receive(messages) {
  const fresh = Array.from(new Map(messages.map((m) => [m.id, m])).values())
    .filter((m) => !seen.has(m.id)).sort((a, b) => a.id - b.id);
  if (!fresh.length) return;
  const stick = isFollowing;
  let first = null, foreign = 0;
  for (const message of fresh) {
    const own = message.side === "person" && unsentLike(message);
    const node = own ? own.node : buildMessage(message);
    if (own) { settle(node, message.id); forget(own); }
    place(node);
    if (message.side === "person") setReplies([]);
    else {
      foreign += 1;
      first = first || node;
      if (message.buttons && message.buttons.length) {
        setReplies(message.buttons);
        announce(say("choices", { choices: message.buttons.map((b) => b.title).join(say("choice_separator")) }));
      }
    }
    if (message.side === "staff" && document.hidden) flagTitle();
  }
  if (foreign) showTyping(false);
  if (!stick) { if (foreign) { missed += foreign; showJump(); } return; }
  // A long answer is read from its beginning.
  const room = scroller.scrollHeight - scroller.clientHeight;
  if (first && first.offsetTop - 16 < room) { isFollowing = false; scrollTo(first.offsetTop - 16); } else toEnd();
}

// ── Scrolling ───────────────────────────────────────────────────────────────────────────────────────────────────
let missed = 0, lastTop = 0;
let isFollowing = false; // the reader is at the end, or on the way there: new messages may move the page
const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
const isAtEnd = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 120;
const scrollTo = (top, smooth = true) => scroller.scrollTo({ top, behavior: smooth && !calm.matches ? "smooth" : "auto" });
function toEnd(smooth) {
  isFollowing = true;
  scrollTo(scroller.scrollHeight, smooth);
  lastTop = scroller.scrollTop;
}

function showJump() {
  const far = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight > scroller.clientHeight;
  jump.hidden = isFollowing || !(missed || (far && log.childElementCount > 3));
  jump.classList.toggle("has-new", missed > 0);
  jump.lastElementChild.textContent = missed ? say("new_messages", { count: missed }) : say("jump_latest");
}
scroller.addEventListener("scroll", () => {
  if (isAtEnd()) isFollowing = true;
  else if (scroller.scrollTop < lastTop - 2) isFollowing = false;
  lastTop = scroller.scrollTop;
  if (isFollowing) missed = 0;
  showJump();
}, { passive: true });
jump.addEventListener("click", () => { missed = 0; toEnd(); focusQuietly(); });

// ── Small signs: typing, title, connection ──────────────────────────────────────────────────────────────────────
let typingTimer, titleCount = 0, lineTimer;
const plainTitle = document.title;
const announce = (text) => { $("announce").textContent = text; };

function showTyping(on) {
  clearTimeout(typingTimer);
  typing.hidden = !on;
  if (on) {
    typingTimer = setTimeout(() => showTyping(false), 10000);
    if (isFollowing) toEnd();
  }
}
function flagTitle() {
  titleCount += 1;
  document.title = say("title_new", { count: titleCount });
}
function showLine(key) {
  clearTimeout(lineTimer);
  connection.classList.toggle("is-back", key === "connection_back");
  connection.textContent = key ? say(key) : "";
  connection.hidden = !key;
  if (key === "connection_back") lineTimer = setTimeout(() => showLine(null), 2500);
}

/** Where the keyboard's focus goes when a pressed button vanishes: the input, unless that would open a phone's keyboard. */
function focusQuietly() {
  (window.matchMedia("(pointer: coarse)").matches ? scroller : input).focus({ preventScroll: true });
}

// ── Sending: one at a time, in order ────────────────────────────────────────────────────────────────────────────
const outgoing = []; // {client_id, text, payload, node, state}
let isPumping = false, isInFlight = false, heldBack = [];

/** The server's refusal, as problem+json words it. */
class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || say("failed"));
    this.status = status;
  }
}

function newId() {
  if (window.crypto.randomUUID) return window.crypto.randomUUID(); // absent on plain http
  const bytes = window.crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

const unsentLike = (message) => outgoing.find((item) => (message.client_id
  ? item.client_id === message.client_id
  : item.state !== "queued" && item.text.trim() === (message.text || "").trim()));

function remember() {
  const unsent = outgoing.map(({ client_id, text, payload }) => ({ client_id, text, payload }));
  try { sessionStorage.setItem(KEPT_UNSENT, JSON.stringify(unsent)); } catch (_) { /* private mode or full: it stays on the page */ }
}
function forget(item) {
  const index = outgoing.indexOf(item);
  if (index >= 0) outgoing.splice(index, 1);
  remember();
}

function setState(item, state, text = "", acts = []) {
  item.state = state;
  item.node.classList.remove("is-sending", "is-waiting", "is-failed", "is-offline");
  if (state !== "queued") item.node.classList.add(`is-${state}`);
  const box = item.node.querySelector(".msg-state");
  if (!box) return;
  box.querySelector("p").textContent = text;
  for (const button of box.querySelectorAll("[data-act]")) button.hidden = !acts.includes(button.dataset.act);
  if (state === "failed" || state === "offline") announce(text);
}

function enqueue(text, payload) {
  const item = { client_id: newId(), text, payload };
  addItem(item);
  setState(item, "queued");
  setReplies([]);
  toEnd();
  pump();
}
function addItem(item) {
  item.node = buildMessage({ side: "person", text: item.text });
  item.node.addEventListener("click", (event) => {
    const button = event.target.closest("[data-act]");
    if (button) act(item, button.dataset.act);
  });
  outgoing.push(item);
  remember();
  place(item.node);
}

function act(item, what) {
  if (what === "reload") { window.location.reload(); return; }
  if (what === "edit") {
    forget(item);
    item.node.remove();
    input.value = input.value ? `${item.text}\n${input.value}` : item.text;
    input.focus();
    fitInput();
    return;
  }
  setState(item, "queued");
  focusQuietly();
  pump();
}

async function pump() {
  if (isPumping) return;
  const item = outgoing.find((one) => one.state === "queued");
  if (!item) return;
  isPumping = true;
  // Nobody needs to read “sending” for the usual 200 ms.
  setState(item, "sending");
  const slow = setTimeout(() => { if (item.state === "sending") { setState(item, "sending", say("sending")); showTyping(true); } }, 400);
  try {
    const { messages } = await post(item);
    const own = messages.find((m) => m.client_id === item.client_id) || messages[0];
    if (own && own.side === "person" && outgoing.includes(item)) {
      if (seen.has(own.id)) item.node.remove();
      else { settle(item.node, own.id); place(item.node); }
    }
    forget(item);
    heldBack.push(...messages);
  } catch (error) {
    if (error instanceof Refusal) {
      const acts = [401, 403].includes(error.status) ? ["reload"] : error.status < 500 && error.status !== 429 ? ["edit"] : ["retry", "edit"];
      setState(item, "failed", error.message, acts);
    } else if (navigator.onLine === false) setState(item, "offline", say("offline"), ["retry"]);
    else setState(item, "failed", say("failed"), ["retry", "edit"]);
    if (isFollowing) toEnd();
  }
  clearTimeout(slow);
  showTyping(false);
  isPumping = false;
  release();
  pump();
}

/** While a message is on its way its echo may come over the event stream first; such news waits for the answer. */
function release() {
  const messages = heldBack;
  heldBack = [];
  receive(messages);
}

async function post(item) {
  const body = { text: item.text, client_id: item.client_id };
  if (item.payload) body.payload = item.payload;
  const request = {
    method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
  };
  for (let waits = 0; ; waits += 1) {
    isInFlight = true;
    const response = await call("/chat/messages", request).finally(() => { isInFlight = false; });
    if (response.ok) return response.json();
    const again = (response.status === 429 || response.status === 503) && waits < MAX_WAITS;
    if (!again) throw new Refusal(response.status, await response.json().catch(() => ({})));
    const seconds = secondsToWait(response.headers.get("Retry-After"), waits);
    setState(item, "waiting", say("waiting", { seconds }));
    showTyping(false);
    release(); // news need not wait as long as we do
    await new Promise((done) => setTimeout(done, seconds * 1000));
    if (!outgoing.includes(item)) return { messages: [] }; // the stream has meanwhile shown that it arrived
    setState(item, "sending", say("sending"));
  }
}

function secondsToWait(header, waits) {
  const asNumber = Number(header);
  const seconds = header && Number.isFinite(asNumber) ? asNumber : (Date.parse(header) - Date.now()) / 1000;
  return Math.ceil(Math.min(MAX_WAIT_S, Math.max(1, Number.isFinite(seconds) ? seconds : 2 ** waits)));
}

async function call(path, options = {}) {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), SEND_TIMEOUT_MS);
  try {
    return await fetch(path, { credentials: "same-origin", cache: "no-store", redirect: "error", ...options, signal: abort.signal });
  } finally {
    clearTimeout(timer);
  }
}

// ── Receiving: the event stream, and catching up after a gap ────────────────────────────────────────────────────
let stream = null, losses = 0, streamTimer = 0, lossTimer = 0, isSyncing = false;

function connect() {
  clearTimeout(streamTimer);
  if (stream) stream.close();
  stream = new EventSource(`/chat/events?after=${lastId}`);
  stream.addEventListener("open", () => {
    clearTimeout(lossTimer);
    lossTimer = 0;
    if (!connection.hidden) showLine("connection_back");
    losses = 0;
  });
  stream.addEventListener("message", (event) => {
    try { take([JSON.parse(event.data)]); } catch (_) { sync(); } // half a line after a proxy's cut: ask again
  });
  stream.addEventListener("typing", () => showTyping(true));
  stream.addEventListener("error", () => lost());
}

function lost() {
  if (stream) stream.close();
  stream = null;
  clearTimeout(streamTimer);
  // Leaving the page and a proxy's routine cut both look like a loss for a moment: say nothing for two seconds.
  if (!lossTimer) lossTimer = setTimeout(() => showLine(navigator.onLine === false ? "connection_offline" : "connection_lost"), 2000);
  const wait = Math.min(30000, 1000 * 2 ** losses) * (0.75 + Math.random() / 2);
  losses += 1;
  streamTimer = setTimeout(async () => { await sync(); connect(); }, wait);
}

function take(messages) {
  if (isInFlight) heldBack.push(...messages);
  else receive(messages);
}

async function sync() {
  if (isSyncing) return;
  isSyncing = true;
  try {
    const response = await call(`/chat/messages?after=${lastId}`);
    if (response.ok) take((await response.json()).messages);
  } catch (_) { /* still no network: the stream's back-off tries again */ } finally {
    isSyncing = false;
  }
}

async function comeBack() {
  if (document.hidden) return;
  titleCount = 0;
  document.title = plainTitle;
  relabelDays();
  await sync();
  if (!stream || stream.readyState !== EventSource.OPEN) { losses = 0; connect(); }
}

document.addEventListener("visibilitychange", comeBack);
window.addEventListener("pageshow", (event) => { if (event.persisted) comeBack(); });
window.addEventListener("pagehide", () => { clearTimeout(lossTimer); lossTimer = 0; clearTimeout(streamTimer); if (stream) stream.close(); stream = null; });
window.addEventListener("offline", () => showLine("connection_offline"));
window.addEventListener("online", () => {
  for (const item of outgoing) if (item.state === "offline") setState(item, "queued");
  losses = 0;
  connect();
  sync().then(pump);
});

// ── Writing ─────────────────────────────────────────────────────────────────────────────────────────────────────
let isComposing = false;

function fitInput() {
  input.style.height = "auto";
  input.style.height = `${input.scrollHeight + 2}px`;
  const length = input.value.length;
  counter.hidden = length <= COUNT_FROM;
  if (!counter.hidden) counter.textContent = say("counter", { count: Array.from(input.value).length.toLocaleString("en-US") });
  if (isFollowing) toEnd(false);
  try { sessionStorage.setItem(KEPT_DRAFT, input.value); } catch (_) { /* as above */ }
}
function submitInput() {
  const text = input.value;
  if (!text.trim()) { input.focus(); return; }
  input.value = "";
  fitInput();
  enqueue(text);
}

input.removeAttribute("required"); // the browser's bubble would interrupt; an empty message is simply not sent
input.addEventListener("input", fitInput);
input.addEventListener("compositionstart", () => { isComposing = true; });
input.addEventListener("compositionend", () => { isComposing = false; });
input.addEventListener("keydown", (event) => {
  // 229: Safari ends the composition before the Enter that chose the word arrives.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || isComposing || event.keyCode === 229) return;
  event.preventDefault();
  submitInput();
});
composer.addEventListener("submit", (event) => { event.preventDefault(); submitInput(); });
$("send").addEventListener("mousedown", (event) => event.preventDefault()); // keeps a phone's keyboard open
replies.addEventListener("submit", (event) => {
  event.preventDefault();
  const button = event.submitter || document.activeElement;
  if (!button || button.name !== "payload") return;
  focusQuietly();
  enqueue(button.textContent, button.value);
});
const samples = $("samples");
if (samples) samples.addEventListener("submit", (event) => {
  event.preventDefault();
  const button = event.submitter || document.activeElement;
  if (!button || button.name !== "text") return;
  focusQuietly();
  enqueue(button.value);
});

// ── A phone's keyboard (iOS lays it over the page; the page then shrinks itself) ────────────────────────────────
const view = window.visualViewport;
function fitPage() {
  const chat = $("chat");
  const covered = window.innerHeight - view.height;
  const isCovered = view.scale < 1.01 && covered > 80;
  chat.classList.toggle("is-fitted", isCovered);
  if (isCovered) {
    document.documentElement.style.setProperty("--app-height", `${view.height}px`);
    window.scrollTo(0, 0);
  }
}
if (view) view.addEventListener("resize", fitPage);
if (window.ResizeObserver) new ResizeObserver(() => { if (isFollowing) toEnd(false); }).observe(scroller);

// ── Begin ───────────────────────────────────────────────────────────────────────────────────────────────────────
function restore() {
  let unsent = [];
  try {
    unsent = JSON.parse(sessionStorage.getItem(KEPT_UNSENT) || "[]");
    if (!input.value) input.value = sessionStorage.getItem(KEPT_DRAFT) || "";
  } catch (_) { /* nothing was kept */ }
  for (const { client_id, text, payload } of unsent) {
    const item = { client_id, text, payload };
    addItem(item);
    setState(item, "failed", say("unsent"), ["retry", "edit"]);
  }
  return unsent.length > 0;
}

relabelDays();
const hasUnsent = restore();
fitInput();
if (hasUnsent || log.querySelector(".msg-person")) toEnd(false); // a first visit begins with the welcome
else isFollowing = scroller.scrollHeight <= scroller.clientHeight;
connect();
