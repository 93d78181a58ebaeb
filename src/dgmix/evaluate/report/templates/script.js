"use strict";

// Tables: every column heading becomes a button that sorts within each block of rows.
const collator = new Intl.Collator("en", { numeric: true });

function sort(table, column, descending, numeric) {
  const read = (row) => {
    const text = row.cells[column].textContent.trim();
    return { row, key: numeric ? parseFloat(text.replace("−", "-")) : text };
  };
  const order = (a, b) => (numeric ? a.key - b.key : collator.compare(a.key, b.key));
  for (const body of table.tBodies) {
    const rows = [...body.rows].filter((row) => !row.matches(".block, .total")).map(read);
    const missing = rows.filter(({ key }) => Number.isNaN(key));
    const present = rows.filter(({ key }) => !Number.isNaN(key));
    present.sort((a, b) => (descending ? -order(a, b) : order(a, b)));
    const totals = [...body.rows].filter((row) => row.matches(".total"));
    body.append(...[...present, ...missing].map(({ row }) => row), ...totals);
  }
}

for (const table of document.querySelectorAll("table.sortable")) {
  for (const heading of table.tHead.rows[0].cells) {
    const numeric = heading.matches(".number");
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const before = heading.getAttribute("aria-sort");
      const descending = before ? before === "ascending" : numeric;
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sort(table, heading.cellIndex, descending, numeric);
    });
  }
}

// Details: show one machine, and the score distributions of one system.
const choose = document.querySelector(".choose");
if (choose) {
  const show = () => {
    for (const part of document.querySelectorAll("[data-machine]")) {
      const { machine, system } = part.dataset;
      const wanted = (select, value) => !select?.value || value === undefined || value === select.value;
      part.hidden = !wanted(choose.elements.machine, machine) || !wanted(choose.elements.system, system);
    }
  };
  choose.hidden = false;
  choose.addEventListener("change", show);
  choose.addEventListener("submit", (event) => event.preventDefault());
  show();
}

// Listening: a line in the picture follows the player, a click in the picture plays from there.
for (const part of document.querySelectorAll(".player")) {
  const [player, chart, line] = ["audio", "svg", ".now"].map((what) => part.querySelector(what));
  const [start, end, seconds] = chart.dataset.time.split(" ").map(Number);
  const follow = () => {
    const share = Math.min(player.currentTime / seconds, 1);
    line.setAttribute("transform", `translate(${(end - start) * share})`);
    if (!player.paused) requestAnimationFrame(follow);
  };
  player.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== player) other.pause();
    part.classList.add("playing");
    follow();
  });
  player.addEventListener("seeked", follow);
  chart.addEventListener("click", (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(chart.getScreenCTM().inverse());
    const share = (at.x - start) / (end - start);
    if (share < 0 || share > 1) return;
    player.currentTime = share * seconds;
    player.play();
  });
}

// Figures: the nearest point of a curve, or the title of a mark, under the mouse or finger.
for (const title of document.querySelectorAll("svg.chart title")) {
  title.parentNode.dataset.title = title.textContent;
  title.remove();
}

const reading = document.createElement("div");
reading.className = "reading";
reading.hidden = true;
reading.setAttribute("aria-hidden", "true");
document.body.append(reading);

function value(axis, position) {
  const [start, end, low, high] = axis.split(" ", 4).map(Number);
  const share = (position - start) / (end - start);
  return axis.endsWith("log") ? low * (high / low) ** share : low + share * (high - low);
}

function nearest(chart, event) {
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(chart.getScreenCTM().inverse());
  let closest = null;
  for (const line of chart.querySelectorAll("polyline")) {
    for (const point of line.points) {
      const distance = Math.hypot(point.x - at.x, point.y - at.y);
      if (distance < (closest?.distance ?? 24)) closest = { distance, point, line };
    }
  }
  if (!closest) return "";
  const [x, y] = [value(chart.dataset.x, closest.point.x), value(chart.dataset.y, closest.point.y)];
  const name = closest.line.dataset.title.split(":")[0];
  return `${name}, ${chart.dataset.xName} ${+x.toPrecision(3)}: ${+y.toPrecision(3)}`;
}

function read(event) {
  const chart = event.target.closest?.("svg.chart");
  const text = !chart ? "" : chart.dataset.x ? nearest(chart, event)
    : event.target.dataset.title ?? "";
  reading.hidden = !text;
  if (!text) return;
  reading.textContent = text;
  const left = Math.min(event.clientX + 12, innerWidth - reading.offsetWidth - 8);
  reading.style.left = `${Math.max(left, 8)}px`;
  reading.style.top = `${Math.max(event.clientY - reading.offsetHeight - 12, 4)}px`;
}

document.addEventListener("pointermove", read);
document.addEventListener("pointerdown", read);
