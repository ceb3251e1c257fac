"use strict";
// Draws, moves and removes zones over the picture, by mouse, finger or keys. A zone is left, top, width and height, in
// shares of the picture.

const STEP = 0.01;
const LEAST = 0.02;
const NEW = [0.4, 0.4, 0.2, 0.2];
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const layer = document.querySelector("#zones");
const zoneSaid = document.querySelector("#zone");
const rectangles = new Map(); // a zone's button to its shares
let chosen = null;
let drag = null; // what is being dragged: the button, by which pointer, where it began, and whether it is resized

const within = (value, low, high) => Math.min(high, Math.max(low, value));

function rounded(exact) {
  const shares = exact.map((share) => Number(share.toFixed(3)));
  // Up to the edge: both halves may have been rounded up.
  for (const side of [0, 1]) shares[side + 2] = Math.min(shares[side + 2], Number((1 - shares[side]).toFixed(3)));
  return shares;
}

function place(button, exact) {
  const shares = rounded(exact);
  rectangles.set(button, shares);
  ["left", "top", "width", "height"].forEach((side, index) => (button.style[side] = `${shares[index] * 100}%`));
  const [x, y, wide, high] = shares.map((share) => Math.round(share * 100));
  button.setAttribute("aria-label", `Zone from left ${x} %, top ${y} %, ${wide} % wide, ${high} % high`);
}

function move(button, right, down) {
  const [left, top, width, height] = rectangles.get(button);
  place(button, [within(left + right, 0, 1 - width), within(top + down, 0, 1 - height), width, height]);
}

function resize(button, right, down) {
  const [left, top, width, height] = rectangles.get(button);
  place(button, [left, top, within(width + right, LEAST, 1 - left), within(height + down, LEAST, 1 - top)]);
}

function addZone(shares) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(document.createElement("span"));
  button.addEventListener("focus", () => (chosen = button));
  button.addEventListener("click", () => button.focus()); // as not every browser does
  layer.append(button);
  place(button, shares);
  return button;
}

function removeZone(button) {
  if (!rectangles.delete(button)) return;
  if (drag?.button === button) drag = null; // whoever still holds it holds nothing
  button.remove();
  chosen = null;
  document.querySelector("#add").focus();
  zonesChanged("Removed.");
}

function zonesChanged(text) {
  zoneSaid.textContent = text;
  layer.dispatchEvent(new Event("input", { bubbles: true }));
}

function showZones(zones) {
  for (const button of rectangles.keys()) button.remove();
  rectangles.clear();
  chosen = null;
  zones.forEach(addZone);
}

function zonesNow() {
  return [...rectangles.values()];
}

function shareOf(event) {
  const box = layer.getBoundingClientRect();
  return [within((event.clientX - box.left) / box.width, 0, 1), within((event.clientY - box.top) / box.height, 0, 1)];
}

layer.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || drag) return;
  const button = event.target.closest("button");
  // A finger scrolls the page over the picture too: it drags only the zone that was added or tapped just before.
  if (event.pointerType !== "mouse" && (!button || button !== document.activeElement)) return;
  event.preventDefault();
  layer.setPointerCapture(event.pointerId);
  const [x, y] = shareOf(event);
  const pointer = event.pointerId;
  if (button) {
    drag = { button, pointer, x, y, sizes: event.target !== button, begin: rectangles.get(button) };
  } else {
    const [left, top] = [within(x, 0, 1 - LEAST), within(y, 0, 1 - LEAST)];
    drag = { button: addZone([left, top, LEAST, LEAST]), pointer, x: left, y: top, drawn: true };
  }
  drag.button.focus();
});
// After pointerdown: what it has begun to drag scrolls nothing.
layer.addEventListener("touchstart", (event) => drag && event.preventDefault(), { passive: false });
layer.addEventListener("pointermove", (event) => {
  if (drag?.pointer !== event.pointerId) return;
  const [x, y] = shareOf(event);
  if (drag.drawn) {
    const [left, top] = [Math.min(x, drag.x), Math.min(y, drag.y)];
    place(drag.button, [left, top, within(Math.abs(x - drag.x), LEAST, 1 - left), within(Math.abs(y - drag.y), LEAST, 1 - top)]);
    return;
  }
  place(drag.button, drag.begin);
  (drag.sizes ? resize : move)(drag.button, x - drag.x, y - drag.y);
});
for (const end of ["pointerup", "pointercancel"]) {
  layer.addEventListener(end, (event) => {
    if (drag?.pointer !== event.pointerId) return;
    const { button, drawn } = drag;
    drag = null;
    const [, , width, height] = rectangles.get(button);
    if (drawn && width <= LEAST && height <= LEAST) removeZone(button); // a click, not a rectangle
    else zonesChanged(button.getAttribute("aria-label"));
  });
}
layer.addEventListener("keydown", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (["Delete", "Backspace"].includes(event.key)) removeZone(button);
  else if (event.key in KEYS) {
    const [right, down] = KEYS[event.key].map((way) => way * STEP);
    (event.shiftKey ? resize : move)(button, right, down);
    zonesChanged(button.getAttribute("aria-label"));
  } else return;
  event.preventDefault();
});
document.querySelector("#add").addEventListener("click", () => {
  const button = addZone(NEW);
  button.focus();
  zonesChanged(button.getAttribute("aria-label"));
});
document.querySelector("#remove").addEventListener("click", () => {
  if (chosen) removeZone(chosen);
  else zoneSaid.textContent = "Choose a zone first.";
});
