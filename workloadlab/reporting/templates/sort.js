// A click on a column's heading sorts its table; without a script the tables read as they are.
for (const table of document.querySelectorAll("table")) {
  const head = table.tHead.rows[table.tHead.rows.length - 1], body = table.tBodies[0];
  const number = (row, at) => parseFloat(row.cells[at].textContent.replace(/[^0-9.eE+-]/g, ""));
  [...head.cells].forEach((cell, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = cell.textContent;
    cell.replaceChildren(button);
    button.onclick = () => {
      const down = cell.getAttribute("aria-sort") === "ascending";
      [...head.cells].forEach((other) => other.removeAttribute("aria-sort"));
      cell.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].sort((a, b) => {
        const [x, y] = [number(a, at), number(b, at)];
        if (isNaN(x) && isNaN(y)) return a.cells[at].textContent.localeCompare(b.cells[at].textContent);
        return isNaN(x) ? 1 : isNaN(y) ? -1 : x - y;
      });
      body.append(...(down ? rows.reverse() : rows));
    };
  });
}
