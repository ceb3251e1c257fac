"use strict";
// Draws the last minute, and lists for how long each state was shown. States are [seconds from now, at most 0, state].

const SECONDS = 60;
const COLORS = { IDLE: "#8a949c", CHECKING: "#2f6fe0", CLEAR: "#0a8a5c", ALARM: "#d0212f" };

const canvas = document.querySelector("canvas");

// Draws levels, [name, score], the scores, [seconds, score], and below them a bar for each of rows, [name, states].
function drawMinute(levels, scores, rows) {
  const pen = canvas.getContext("2d");
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  [canvas.width, canvas.height] = [width * devicePixelRatio, height * devicePixelRatio];
  pen.scale(devicePixelRatio, devicePixelRatio);
  const style = getComputedStyle(document.documentElement);
  const x = (at) => width * (1 + at / SECONDS);
  const y = (score) => 20 + (1 - score) * (height - 110);
  pen.fillStyle = style.getPropertyValue("--paper");
  pen.fillRect(0, 0, width, height);
  pen.fillStyle = style.getPropertyValue("--ink");
  pen.font = "14px system-ui, sans-serif";
  for (const [name, level] of levels) {
    pen.fillText(name, 8, y(level) - 4);
    pen.fillRect(0, y(level), width, 2);
  }
  for (const [at, score] of scores) {
    pen.beginPath();
    pen.arc(x(at), y(score), 3, 0, 7);
    pen.fill();
  }
  rows.forEach(([name, states], place) => {
    const top = height - 72 + place * 36;
    states.forEach(([at, state], index) => {
      pen.fillStyle = COLORS[state];
      pen.fillRect(x(at), top, x(states[index + 1]?.[0] ?? 0) - x(at), 30);
    });
    pen.fillStyle = style.getPropertyValue("--ink");
    pen.strokeStyle = style.getPropertyValue("--paper");
    pen.lineWidth = 4;
    pen.strokeText(name, 8, top + 20);
    pen.fillText(name, 8, top + 20);
  });
}

function seconds(states) {
  const total = Object.fromEntries(Object.keys(COLORS).map((state) => [state, 0]));
  states.forEach(([at, state], index) => (total[state] += (states[index + 1]?.[0] ?? 0) - at));
  return total;
}

// Fills the table: a row for each state, a column for each of these.
function listSeconds(columns) {
  const totals = columns.map(seconds);
  document.querySelector("tbody").replaceChildren(
    ...Object.keys(COLORS).map((state) => {
      const row = document.createElement("tr");
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = state;
      head.style.borderInlineStart = `1rem solid ${COLORS[state]}`;
      row.append(head);
      for (const total of totals) row.insertCell().textContent = total[state].toFixed(1);
      return row;
    }),
  );
}
