"use strict";
// Shows one picture after the other, and tells the server which label it gets.

const image = document.querySelector("img");
const said = document.querySelector("#said");
const bar = document.querySelector("progress");
const buttons = [...document.querySelectorAll("[data-label]")];
const undo = document.querySelector("#undo");
const token = location.hash.slice(1);
let state = null;
let seen = false; // the picture that is asked about is on the screen
let busy = true; // a key that is pressed twice doesn't label a picture that nobody has seen

async function ask(path, body) {
  const answer = await fetch(path, {
    method: body === undefined ? "GET" : "POST",
    headers: { Authorization: `Bearer ${token}` },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (answer.status === 401) throw new Error("This address lacks its token. Open the one that the terminal shows.");
  if (answer.headers.get("Content-Type") === "image/png") return answer.blob();
  const found = await answer.json().catch(() => ({ error: `The server answers ${answer.status}.` }));
  if (found.error) throw new Error(found.error);
  return found;
}

function count() {
  const done = Object.values(state.counts).reduce((sum, number) => sum + number, 0);
  Object.assign(bar, { max: done + state.waiting || 1, value: done });
  document.querySelector("tbody").replaceChildren(
    ...buttons.map((button) => {
      const row = document.createElement("tr");
      const name = document.createElement("th");
      name.scope = "row";
      name.textContent = button.lastChild.textContent.trim();
      row.append(name, Object.assign(document.createElement("td"), { textContent: state.counts[button.dataset.label] }));
      return row;
    }),
  );
}

async function show(what, next) {
  busy = true;
  try {
    state = await next();
    seen = false;
    count();
    URL.revokeObjectURL(image.src);
    said.textContent = `${what}${state.waiting === 0 ? "All are labelled. Stop the program with Ctrl-C in the terminal." : `${state.waiting} to go.`}`;
    if (state.name !== null) {
      image.alt = `Face crop ${state.name}`;
      image.src = URL.createObjectURL(await ask(`/picture?name=${encodeURIComponent(state.name)}`));
      await image.decode();
      seen = true;
    }
  } catch (error) {
    said.textContent = error instanceof TypeError ? "The program has ended. Start it again in the terminal." : error.message;
  }
  image.hidden = !seen;
  for (const button of buttons) button.disabled = !allowed(button);
  undo.disabled = !state;
  busy = false;
}

function allowed(button) {
  // What can't be shown can only be dropped.
  return state && state.name !== null && (seen || button.dataset.label === "dropped");
}

function label(button) {
  if (busy || !allowed(button)) return;
  const name = state.name;
  show(`${button.lastChild.textContent.trim()}. `, () => ask("/label", { name, label: button.dataset.label }));
}

function back() {
  if (!busy && state) show("Undone. ", () => ask("/undo", {}));
}

for (const button of buttons) button.addEventListener("click", () => label(button));
undo.addEventListener("click", back);
addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  const button = buttons.find((other) => other.getAttribute("aria-keyshortcuts") === event.key);
  if (button) label(button);
  if (event.key === "Backspace") back();
});
show("", () => ask("/next"));
