// The table of cells: sorted by a click on a column's head, filtered by words, drawn a page at a time.
"use strict";
(() => {
  const PAGE = 100;
  const infinities = new Map([["inf", Infinity], ["-inf", -Infinity]]);
  const { columns, rows } = JSON.parse(document.getElementById("cells-data").textContent);
  for (const row of rows) {
    columns.forEach((column, i) => { if (!column.label) row[i] = infinities.get(row[i]) ?? row[i]; });
  }
  const table = document.getElementById("cells");
  const body = table.tBodies[0];
  const filter = document.getElementById("filter");
  const count = document.getElementById("count");
  const more = document.getElementById("more");
  const words = rows.map((row) => row.map((cell, i) => text(cell, columns[i])).join(" ").toLowerCase());
  const order = { column: -1, direction: 1 };
  let chosen = rows.map((_, i) => i);
  let shown = PAGE;

  function text(cell, column) {
    if (cell === null) return "";
    if (cell === Infinity || cell === -Infinity) return cell > 0 ? "∞" : "−∞";
    return column.digits === undefined ? String(cell) : cell.toFixed(column.digits);
  }

  // Numbers by value, words by the alphabet; what is missing comes last either way.
  function compare(a, b) {
    const x = rows[a][order.column], y = rows[b][order.column];
    if (x === null || y === null) return (x === null) - (y === null) || a - b;
    const ahead = typeof x === "number" && typeof y === "number"
      ? Math.sign(x - y) || 0 : String(x).localeCompare(String(y), "en", { numeric: true });
    return order.direction * ahead || a - b;
  }

  function draw() {
    const visible = chosen.slice(0, shown).map((index) => {
      const row = document.createElement("tr");
      if (rows[index][1] !== "done") row.className = "failed";
      columns.forEach((column, i) => {
        const cell = row.insertCell();
        cell.textContent = text(rows[index][i], column);
        if (column.label) cell.className = "label";
      });
      return row;
    });
    body.replaceChildren(...visible);
    count.textContent = `${chosen.length} of ${rows.length} cells`;
    more.hidden = chosen.length <= shown;
    more.textContent = `Show ${Math.min(PAGE * 5, chosen.length - shown)} more`;
  }

  function choose() {
    const wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    chosen = words.flatMap((line, i) => (wanted.every((word) => line.includes(word)) ? [i] : []));
    if (order.column >= 0) chosen.sort(compare);
    shown = PAGE;
    draw();
  }

  columns.forEach((column, i) => {
    const head = table.tHead.rows[0].cells[i];
    head.querySelector("button").addEventListener("click", () => {
      order.direction = order.column === i ? -order.direction : 1;
      order.column = i;
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", order.direction > 0 ? "ascending" : "descending");
      choose();
    });
  });
  filter.addEventListener("input", choose);
  more.addEventListener("click", () => { shown += PAGE * 5; draw(); });
  choose();
})();
