// The completions of the report: filtered in columns, shown row by row as far as they are in view. Text of completions
// becomes text nodes and never markup.

(() => {
  const root = document.querySelector(".browser");
  if (!root) return;
  const ROW = 58; // px, as .browser .row is high
  const MANY = 60; // a column with more values than these has no menu; the search finds them
  const [form, status, list, rows, detail] = [".filters", ".count", ".list", ".rows", ".detail"].map((name) => root.querySelector(name));

  async function unpack() {
    const bytes = Uint8Array.from(atob(root.querySelector(".packed").textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).json();
  }

  function element(name, properties = {}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  }

  async function start() {
    const table = await unpack();
    const n = table.text.length;
    const unsafe = new Set(table.unsafe);
    const said = (text) => (text === "" ? "(empty)" : table.names[text] ?? text);
    const value = (column, row) => (column.rows[row] < 0 ? null : column.values[column.rows[row]]);
    const told = (column, row) => (column.rows[row] < 0 ? "" : said(value(column, row)));
    const judges = Object.entries(table.judges);
    const differ = disagreeing(table, judges, n);
    const outcomes = outcomesOf(judges, n);
    const low = { text: null, prompt: null }; // lower-cased when first searched
    const line = element("div", { className: "line" });
    const tests = new Map(); // name of a filter to its test of a row
    let found = [];
    let chosen = 0;

    function menu(name, label, options, test) {
      const select = element("select", { name });
      select.append(element("option", { value: "", textContent: "any" }));
      for (const [key, text, count] of options) select.append(element("option", { value: key, textContent: `${text} (${count.toLocaleString("en")})` }));
      select.addEventListener("change", () => {
        if (select.value === "") tests.delete(name);
        else tests.set(name, test(select.value));
        filter();
      });
      form.append(element("label", {}, element("span", { textContent: label }), select));
    }

    function columnMenu(name, label, column, words = said) {
      const counts = new Array(column.values.length).fill(0);
      for (const place of column.rows) if (place >= 0) counts[place] += 1;
      if (column.values.length < 2 || column.values.length > MANY) return;
      menu(name, label, column.values.map((text, place) => [String(place), words(text), counts[place]]), (key) => (row) => column.rows[row] === Number(key));
    }

    function switchOf(name, label, on) {
      const box = element("input", { type: "checkbox", name });
      box.addEventListener("change", () => { on(box.checked); filter(); });
      line.append(element("label", { className: "switch" }, box, element("span", { textContent: label })));
    }

    const search = element("input", { type: "search", name: "search", placeholder: "words in the completion or its prompt" });
    search.addEventListener("input", () => {
      const wanted = search.value.trim().toLowerCase();
      low.text ??= table.text.map((text) => text.toLowerCase());
      low.prompt ??= table.columns.prompt.values.map((text) => text.toLowerCase());
      const asked = low.prompt.map((text) => text.includes(wanted));
      if (wanted === "") tests.delete("search");
      else tests.set("search", (row) => low.text[row].includes(wanted) || asked[table.columns.prompt.rows[row]]);
      filter();
    });
    form.append(element("label", { className: "search" }, element("span", { textContent: "search" }), search));
    for (const [name, column] of Object.entries(table.columns)) {
      if (name === "item" || name === "prompt") continue;
      columnMenu(name, name.replace("variables.", "").replaceAll("_", " "), column);
    }
    for (const [judge, column] of judges) columnMenu(`judge.${judge}`, `label, ${column.axis}, by ${judge}`, column);
    menu("outcome", "outcome of judging", [...outcomes].map(([name, where]) => [name, name, where.size]), (name) => (row) => outcomes.get(name).has(row));
    if (differ.size) switchOf("differ", `judges differ (${differ.size.toLocaleString("en")})`, (on) => (on ? tests.set("differ", (row) => differ.has(row)) : tests.delete("differ")));
    if (unsafe.size) switchOf("unsafe", `show answers to unsafe requests (${unsafe.size.toLocaleString("en")})`, () => {});
    const folded = (row) => unsafe.has(row) && !form.elements.unsafe.checked;
    line.append(element("button", { type: "reset", textContent: "Reset" }));
    form.append(line);
    form.addEventListener("reset", () => { tests.clear(); setTimeout(filter); });
    form.addEventListener("submit", (event) => event.preventDefault());

    function filter() {
      const all = [...tests.values()];
      found = [];
      for (let row = 0; row < n; row += 1) if (all.every((test) => test(row))) found.push(row);
      status.textContent = `${found.length.toLocaleString("en")} of ${n.toLocaleString("en")} completions`;
      rows.style.height = `${found.length * ROW}px`;
      list.scrollTop = 0;
      choose(0);
    }

    const place = (row) => ["condition", "variables.language", "variables.persona", "variables.intervention", "variables.phrasing"]
      .filter((name) => table.columns[name]).map((name) => told(table.columns[name], row)).filter(Boolean).join(" · ");

    function draw() {
      const first = Math.max(0, Math.floor(list.scrollTop / ROW) - 4);
      const last = Math.min(found.length, first + Math.ceil(list.clientHeight / ROW) + 8);
      const shown = [];
      for (let at = first; at < last; at += 1) {
        const row = found[at];
        const line = element("div", { className: "row", id: `completion-${at}` },
          element("span", { className: "where", textContent: place(row) }),
          element("span", { className: "labels" }, ...chips(row)),
          element("span", { className: "snippet", textContent: folded(row) ? "Answer to an unsafe request, folded away" : table.text[row].slice(0, 160), dir: "auto" }));
        line.style.top = `${at * ROW}px`;
        line.setAttribute("role", "option");
        line.setAttribute("aria-posinset", at + 1);
        line.setAttribute("aria-setsize", found.length);
        line.setAttribute("aria-selected", at === chosen);
        line.addEventListener("click", () => choose(at));
        shown.push(line);
      }
      rows.replaceChildren(...shown);
      list.setAttribute("aria-activedescendant", found.length ? `completion-${chosen}` : "");
    }

    function chips(row) {
      const labels = judges.filter(([, column]) => column.values.length <= MANY).map(([, column]) => told(column, row)).filter(Boolean);
      const made = [...new Set(labels)].slice(0, 3).map((text) => element("span", { className: "label", textContent: text }));
      if (differ.has(row)) made.push(element("span", { className: "label differ", textContent: "differ" }));
      return made;
    }

    function choose(at) {
      chosen = Math.max(0, Math.min(at, found.length - 1));
      const top = chosen * ROW;
      if (top < list.scrollTop) list.scrollTop = top;
      else if (top + ROW > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW - list.clientHeight;
      draw();
      if (found.length) read(found[chosen]);
      else detail.replaceChildren(element("p", { textContent: "No completion fits these filters." }));
    }

    function read(row) {
      const facts = Object.entries(table.columns).filter(([name]) => name !== "prompt")
        .map(([name, column]) => [name.replace("variables.", "").replaceAll("_", " "), told(column, row)]);
      facts.push(["sample", String(table.sample[row])]);
      for (const [judge, column] of judges) facts.push([`${column.axis}, by ${judge}`, told(column, row)]);
      const list_ = element("dl");
      for (const [name, text] of facts) if (text !== "") list_.append(element("div", {}, element("dt", { textContent: name }), element("dd", { textContent: text })));
      const text = element("pre", { className: "completion", textContent: table.text[row] || "(nothing)", dir: "auto", tabIndex: 0 });
      const completion = folded(row)
        ? element("details", { className: "closed" }, element("summary", { textContent: "Answer to an unsafe request; open to read" }), text)
        : text;
      detail.replaceChildren(
        element("h3", { textContent: "Completion" }), completion,
        element("h3", { textContent: "Prompt as rendered" }), element("pre", { textContent: value(table.columns.prompt, row), dir: "auto", tabIndex: 0 }),
        element("h3", { textContent: "Labels and origin" }), list_);
      detail.scrollTop = 0;
    }

    list.addEventListener("scroll", draw);
    list.addEventListener("keydown", (event) => {
      const page = Math.max(1, Math.floor(list.clientHeight / ROW) - 1);
      const to = { ArrowDown: chosen + 1, ArrowUp: chosen - 1, PageDown: chosen + page, PageUp: chosen - page, Home: 0, End: found.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      choose(to);
    });
    root.classList.add("ready");
    filter();
  }

  // Rows that two judges of one axis label differently.
  function disagreeing(table, judges, n) {
    const rows = new Set();
    const said = (column, row) => (column.rows[row] < 0 ? "no label" : column.values[column.rows[row]]);
    for (const [place, [, first]] of judges.entries()) for (const [, second] of judges.slice(place + 1)) {
      if (first.axis !== second.axis) continue;
      for (let row = 0; row < n; row += 1) {
        const labels = [said(first, row), said(second, row)];
        if (labels[0] !== labels[1] && !labels.some((text) => text.startsWith("no label"))) rows.add(row);
      }
    }
    return rows;
  }

  // Outcomes of judging, each with its rows; a row is in several where its judges' outcomes differ.
  function outcomesOf(judges, n) {
    const found = new Map();
    for (const [, column] of judges) {
      const names = column.values.map((text) => (text.startsWith("no label: ") ? text.slice("no label: ".length) : "ok"));
      for (let row = 0; row < n; row += 1) {
        const name = names[column.rows[row]];
        if (name === undefined) continue;
        if (!found.has(name)) found.set(name, new Set());
        found.get(name).add(row);
      }
    }
    return found;
  }

  start().catch((error) => { status.textContent = `The completions can't be shown: ${error.message}`; });
})();
