// A click on the head of a column sorts the table by it; without scripts the table stands as it is.
for (const table of document.querySelectorAll("table.sortable")) {
  const [first, second] = table.tHead.rows;
  const heads = second ? [...first.cells].filter((cell) => cell.rowSpan === 2).concat([...second.cells]) : [...first.cells];
  const number = (row, column) => parseFloat(row.cells[column].textContent.replaceAll(",", "").replace("−", "-"));
  const sort = (head, column) => {
    const falling = head.ariaSort === "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.ariaSort = falling ? "descending" : "ascending";
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => {
      const [x, y] = [number(a, column), number(b, column)];
      if (Number.isNaN(x) || Number.isNaN(y)) {
        // Words by the alphabet; a cell without a number comes last either way.
        if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) ? 1 : -1;
        return (falling ? -1 : 1) * a.cells[column].textContent.localeCompare(b.cells[column].textContent);
      }
      return falling ? y - x : x - y;
    });
    table.tBodies[0].append(...rows);
  };
  heads.forEach((head, column) => {
    head.tabIndex = 0;
    head.title = "Sort by this column";
    head.addEventListener("click", () => sort(head, column));
    head.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(head, column); }
    });
  });
}
