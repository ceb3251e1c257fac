"use strict";
// Asks the device for what it tells with the token only; shared by the pages that have a form for it.

const ANSWER_MS = 10000;

const entry = document.querySelector("#entry");
const opened = document.querySelector("#opened");
const said = document.querySelector("#said");
let token = location.hash.slice(1);

class Refused extends Error {} // by the device, which says what is wrong with what it was asked

function wrong() {
  entry.hidden = false;
  return new Error(opened.hidden ? said.dataset.wrong : (said.dataset.anew ?? said.dataset.wrong));
}

async function request(path, body) {
  if (!/^[\w-]+$/.test(token)) throw wrong(); // what else there may be in one can't even be asked with
  const patience = new AbortController(); // a device that was unplugged says nothing at all
  setTimeout(() => patience.abort(), ANSWER_MS);
  const answer = await fetch(path, {
    signal: patience.signal,
    method: body === undefined ? "GET" : "POST",
    headers: { Authorization: `Bearer ${token}` },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (answer.status === 401) throw wrong();
  if (answer.status === 429) throw new Error(said.dataset.wait);
  if (!opened.hidden) leaveEntry();
  return answer;
}

// Writes a line that says something else: one that is written again may be read out again.
function say(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

// Says why an action failed: in `place` what the device has refused, and above all what ails the device itself.
async function told(action, place = said) {
  try {
    return await action();
  } catch (error) {
    if (error instanceof Refused) {
      say(place, error.message);
    } else {
      if (place !== said) say(place, "");
      say(said, error.constructor === Error ? error.message : said.dataset.gone);
    }
    return undefined;
  }
}

function leaveEntry() {
  const typed = entry.contains(document.activeElement);
  entry.hidden = true;
  if (typed) opened.focus();
}

function showOpened() {
  history.replaceState(null, "", location.pathname + location.search); // the token shall not stay in the address
  said.textContent = "";
  opened.hidden = false;
  leaveEntry();
}

function enter(open) {
  entry.addEventListener("submit", (event) => {
    event.preventDefault();
    token = entry.elements.token.value.trim().split("#").pop(); // of a whole address, what follows its #
    open();
  });
  addEventListener("hashchange", () => location.reload()); // a browser that goes to another token loads nothing by itself
  if (token) open();
}
