// Keeps a page live: when the server says that something has changed, the page is fetched anew and those of its parts
// that differ are put into their places. Without this script, everything works by reloading.
"use strict";

const PATIENCE_MS = 1000;
const live = document.getElementById("live");

let waiting = null;
let fetching = false;
let again = false;

function say(words, isLive) {
  if (!live) return;
  live.hidden = false;
  live.classList.toggle("off", !isLive);
  const place = live.querySelector(".words");
  if (place.textContent !== words) place.textContent = words;
}

// Somebody is in the middle of it: a button that has the focus, a box that is ticked, a text that is marked.
function isInUse(part) {
  if (part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea")) return true;
  if (part.querySelector("input:checked")) return true;
  const marked = document.getSelection();
  return marked !== null && !marked.isCollapsed && part.contains(marked.anchorNode);
}

// What a reader has opened stays open, and the focus stays where it was.
function replace(part, fresh) {
  const open = Array.from(part.querySelectorAll("details"), (details) => details.open);
  const within = Array.from(part.querySelectorAll("a, button, summary"));
  const focused = within.indexOf(document.activeElement);
  const clone = document.importNode(fresh, true);
  part.replaceWith(clone);
  clone.querySelectorAll("details").forEach((details, at) => { details.open = open[at] === true; });
  if (focused >= 0) {
    const now = clone.querySelectorAll("a, button, summary")[focused];
    if (now) now.focus({ preventScroll: true });
  }
}

function take(fresh) {
  let changed = 0;
  for (const part of document.querySelectorAll("[data-part]")) {
    const other = fresh.getElementById(part.id);
    if (!other || bare(other) === bare(part) || isInUse(part)) continue;
    replace(part, other);
    changed += 1;
  }
  return changed;
}

// Two parts that differ in an open box alone are the same.
function bare(part) {
  return part.outerHTML.replace(/<details([^>]*) open(?:="")?/g, "<details$1");
}

function told(page) {
  const title = page.querySelector("[data-told]");
  return title ? title.textContent.trim() : "";
}

async function renew() {
  waiting = null;
  if (fetching) { again = true; return; }
  fetching = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
    // Whoever is sent to the form has to sign in again.
    if (answer.redirected) { location.reload(); return; }
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const news = told(fresh) !== told(document) ? told(fresh) : "";
    take(fresh);
    say(news === "" ? "Live" : "Live: " + news, true);
  } catch (_) {
    say("Not live", false);
  } finally {
    fetching = false;
    if (again) { again = false; soon(); }
  }
}

function soon() {
  if (waiting === null && !document.hidden) waiting = setTimeout(renew, PATIENCE_MS);
}

let stream = null;
let behind = false;

function listen() {
  if (stream !== null) return;
  stream = new EventSource("/events");
  stream.addEventListener("open", () => {
    say("Live", true);
    // What changed while nobody listened is not told.
    if (behind) { behind = false; soon(); }
  });
  stream.addEventListener("changed", soon);
  stream.addEventListener("error", () => {
    behind = true;
    say("Not live", false);
    // The browser tries again by itself, unless it was told not to.
    if (stream.readyState === EventSource.CLOSED) { stream = null; setTimeout(listen, 10 * PATIENCE_MS); }
  });
}

// A page that nobody looks at keeps no connection.
function attend() {
  if (document.hidden) {
    if (stream !== null) { stream.close(); stream = null; behind = true; }
  } else {
    listen();
  }
}

if (live && "EventSource" in window) {
  document.addEventListener("visibilitychange", attend);
  attend();
}
