// What is wrong with a page as it stands on the screen: a list of sentences.
(() => {
  const wrong = [];
  const name = e => (e.closest("figure")?.querySelector("svg")?.getAttribute("aria-label") ?? e.textContent).trim().slice(0, 50);
  const all = (what, within = document) => [...within.querySelectorAll(what)];

  // ---- it fits ----
  if (document.documentElement.scrollWidth > innerWidth)
    wrong.push(`the page is ${document.documentElement.scrollWidth} px wide`);

  // ---- structure ----
  for (const what of ["main", "header", "footer", "nav", "a.skip"])
    if (!document.querySelector(what)) wrong.push(`there is no ${what}`);
  if (all("h1").length !== 1) wrong.push(`${all("h1").length} h1`);
  let level = 0;
  for (const h of all("h1,h2,h3,h4")) {
    const at = Number(h.tagName[1]);
    if (at > level + 1) wrong.push(`'${name(h)}' is a heading of level ${at} below one of ${level}`);
    level = at;
  }
  for (const a of all("a[href^='#']"))
    if (!document.querySelector(a.getAttribute("href"))) wrong.push(`'${name(a)}' leads nowhere`);
  if (!document.title || !document.documentElement.lang) wrong.push("no title or no language");

  // ---- tables ----
  for (const table of all("table")) {
    if (!table.caption?.textContent.trim()) wrong.push("a table without a caption");
    for (const th of all("th", table)) {
      if (!th.getAttribute("scope")) wrong.push(`a heading without a scope in '${name(table.caption)}'`);
      if (!th.textContent.trim()) wrong.push(`an empty heading in '${name(table.caption)}'`);
    }
    const columns = table.tHead.rows[0].cells.length;
    for (const row of table.tBodies[0].rows)
      if (row.cells.length !== columns) wrong.push(`a row of ${row.cells.length} cells under ${columns} headings in '${name(table.caption)}'`);
    if (!table.closest(".scroll")) wrong.push(`'${name(table.caption)}' cannot scroll by itself`);
  }
  for (const scroll of all(".scroll"))
    if (scroll.tabIndex !== 0 || !scroll.getAttribute("aria-label")) wrong.push("a scrolling part without focus or name");

  // ---- figures ----
  for (const figure of all("figure")) {
    const svg = figure.querySelector("svg"), box = svg?.getBoundingClientRect();
    if (!svg) { wrong.push("a figure without a picture"); continue; }
    if (svg.getAttribute("role") !== "img" || !svg.getAttribute("aria-label") || !svg.querySelector("title")?.textContent ||
        !svg.querySelector("desc")?.textContent) wrong.push(`'${name(svg)}' lacks role, label, title or desc`);
    if (!figure.querySelector("figcaption")?.textContent.trim()) wrong.push(`'${name(svg)}' has no caption`);
    if (!figure.querySelector("details table")) wrong.push(`'${name(svg)}' has no numbers`);
    if (!(box.width > 100 && box.height > 50)) wrong.push(`'${name(svg)}' is ${box.width} x ${box.height}`);
    const shapes = all("path,text,rect,polygon,circle", svg).filter(e => !e.closest("defs,clipPath"));
    if (all("path,polygon,circle", svg).length < 4) wrong.push(`'${name(svg)}' is empty`);
    for (const shape of shapes) {
      const r = shape.getBoundingClientRect();
      if (r.width === 0 && r.height === 0) continue;
      if (r.left < box.left - 1 || r.right > box.right + 1 || r.top < box.top - 1 || r.bottom > box.bottom + 1)
        wrong.push(`'${name(svg)}': ${shape.tagName} '${shape.textContent.slice(0, 20)}' leaves the picture`);
    }
    const texts = all("text", svg).filter(t => t.textContent.trim() && Math.abs(t.getScreenCTM().b) < 0.01); // not slanted
    for (let i = 0; i < texts.length; i++)
      for (let k = 0; k < i; k++) {
        const a = texts[i].getBoundingClientRect(), b = texts[k].getBoundingClientRect();
        const w = Math.min(a.right, b.right) - Math.max(a.left, b.left), h = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (w > 1 && h > 0.3 * Math.min(a.height, b.height) && texts[i].textContent !== texts[k].textContent)
          wrong.push(`'${name(svg)}': '${texts[i].textContent.trim()}' lies on '${texts[k].textContent.trim()}'`);
      }
    if (texts.length && Math.min(...texts.map(t => t.getBoundingClientRect().height)) < 8)
      wrong.push(`'${name(svg)}': a text is too small to read`);
  }

  // ---- contrast ----
  const parse = c => (c.match(/[\d.]+/g) ?? []).map(Number);
  const part = v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const contrast = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const paper = e => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const seen = new Set();
  const hold = (colour, e, least, what) => {
    const key = colour + paper(e) + least, c = parse(colour);
    if (seen.has(key) || c.length < 3 || c[3] === 0) return;
    seen.add(key);
    const ratio = contrast(c, paper(e));
    if (ratio < least) wrong.push(`${what}: contrast ${ratio.toFixed(2)} of ${colour} on ${paper(e)}`);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const e = node.parentElement;
    if (!node.textContent.trim() || e.closest("template,title,desc,style")) continue;
    hold(e.closest("svg") ? getComputedStyle(e).fill : getComputedStyle(e).color, e, 4.5, `'${node.textContent.trim().slice(0, 30)}'`);
  }
  for (const line of all("svg path")) {
    const style = getComputedStyle(line);
    const dotted = style.strokeDasharray !== "none" && parseFloat(style.strokeWidth) < 0.5; // the grid
    if (style.stroke !== "none" && !dotted) hold(style.stroke, line, 3, `a line of '${name(line)}'`);
  }
  return wrong;
})()
