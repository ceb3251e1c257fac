"use strict";
// Asks the device for what it tells with the token only; shared by the pages that have a form for it.

const entry = document.querySelector("#entry");
const opened = document.querySelector("#opened");
const said = document.querySelector("#said");
let token = location.hash.slice(1);

async function request(path, body) {
  const answer = await fetch(path, {
    method: body === undefined ? "GET" : "POST",
    headers: { Authorization: `Bearer ${token}` },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (answer.status === 401) throw new Error(said.dataset.wrong);
  if (answer.status === 429) throw new Error(said.dataset.wait);
  if (answer.status === 400) throw new Error((await answer.json()).error);
  return answer;
}

// Says in `place` why an action failed.
async function told(action, place = said) {
  try {
    return await action();
  } catch (error) {
    place.textContent = error instanceof TypeError ? said.dataset.gone : error.message;
    return undefined;
  }
}

function showOpened() {
  history.replaceState(null, "", location.pathname + location.search); // the token shall not stay in the address
  said.textContent = "";
  entry.hidden = true;
  opened.hidden = false;
}

function enter(open) {
  entry.addEventListener("submit", (event) => {
    event.preventDefault();
    token = entry.elements.token.value.trim();
    open();
  });
  if (token) open();
}
