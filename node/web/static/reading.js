// The viewer of a blind reading: 16-bit slices come as they are and are windowed here.
"use strict";

(function reading() {
  const root = document.getElementById("reading");
  if (!root) return;
  const facts = root.dataset;
  const [slices, rows, columns] = [facts.slices, facts.rows, facts.columns].map(Number);
  const offset = Number(facts.offset);
  const inverted = facts.inverted === "1";
  const canvas = root.querySelector("canvas");
  // Every picture is made here and put there whole: the canvas stays in plain memory.
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  const image = context.createImageData(columns, rows);
  const pixels = new Uint32Array(image.data.buffer);
  const shades = new Uint32Array(65536);  // stored value to an opaque grey
  const slider = root.querySelector("#slice");
  const number = root.querySelector("#slice-number");
  const centre = root.querySelector("#centre");
  const width = root.querySelector("#width");
  const probe = root.querySelector("#probe");
  const status = root.querySelector("#loading");
  const presets = [...root.querySelectorAll("[data-centre]")];
  const stack = new Array(slices).fill(null);
  let current = Math.ceil(slices / 2);

  // Window: PS3.3 C.11.2.1.2.1, linear.
  function applyWindow() {
    const middle = Number(centre.value) - 0.5;
    const span = Math.max(1, Number(width.value) - 1);
    for (let stored = 0; stored < shades.length; stored += 1) {
      const share = (stored + offset - middle) / span + 0.5;
      let grey = Math.round(255 * Math.min(1, Math.max(0, share)));
      if (inverted) grey = 255 - grey;
      shades[stored] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
    }
    for (const button of presets) {
      const same = Number(button.dataset.centre) === Number(centre.value)
        && Number(button.dataset.width) === Number(width.value);
      button.setAttribute("aria-pressed", String(same));
    }
    draw();
  }

  function draw() {
    number.textContent = String(current);
    slider.value = String(current);
    const values = stack[current - 1];
    if (!values) return;
    for (let i = 0; i < values.length; i += 1) pixels[i] = shades[values[i]];
    context.putImageData(image, 0, 0);
    canvas.dataset.shown = String(current);
  }

  function go(to) {
    current = Math.min(slices, Math.max(1, to));
    draw();
  }

  // Slices from the middle outwards; the first one is seen while the others come.
  async function load() {
    const order = Array.from({ length: slices }, (_, i) => i + 1);
    order.sort((a, b) => Math.abs(a - current) - Math.abs(b - current));
    let loaded = 0;
    for (const each of order) {
      const answer = await fetch(`${facts.base}/${each}`);
      if (!answer.ok) throw new Error(`slice ${each}: ${answer.status}`);
      stack[each - 1] = new Uint16Array(await answer.arrayBuffer());
      loaded += 1;
      status.textContent = `${loaded} of ${slices} slices are here`;
      if (each === current) draw();
    }
    root.dataset.loaded = "1";
  }

  slider.addEventListener("input", () => go(Number(slider.value)));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    go(current + Math.sign(event.deltaY));
  }, { passive: false });
  const steps = { ArrowUp: -1, ArrowLeft: -1, PageUp: -5, ArrowDown: 1, ArrowRight: 1, PageDown: 5 };
  canvas.addEventListener("keydown", (event) => {
    if (!(event.key in steps)) return;
    event.preventDefault();
    go(current + steps[event.key]);
  });

  let grip = null;  // where a drag began, and the window at that moment
  canvas.addEventListener("pointerdown", (event) => {
    grip = { x: event.clientX, y: event.clientY, centre: Number(centre.value), width: Number(width.value) };
    canvas.setPointerCapture(event.pointerId);
  });
  const view = canvas.parentElement;
  canvas.addEventListener("pointermove", (event) => {
    showValue(event);
    if (!grip) return;
    if (event.shiftKey) {  // move the enlarged picture under the pointer
      view.scrollBy(-event.movementX, -event.movementY);
      return;
    }
    const pace = grip.width / 300;
    width.value = String(Math.max(1, Math.round(grip.width + (event.clientX - grip.x) * pace)));
    centre.value = String(Math.round(grip.centre + (event.clientY - grip.y) * pace));
    applyWindow();
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { grip = null; });
  function showValue(event) {
    const values = stack[current - 1];
    if (!probe || !values) return;
    const box = canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left) / box.width * columns);
    const row = Math.floor((event.clientY - box.top) / box.height * rows);
    const inside = column >= 0 && row >= 0 && column < columns && row < rows;
    probe.textContent = inside ? String(values[row * columns + column] + offset) : "–";
  }

  for (const field of [centre, width]) field.addEventListener("input", applyWindow);
  for (const button of presets) {
    button.addEventListener("click", () => {
      centre.value = String(Number(button.dataset.centre));
      width.value = String(Number(button.dataset.width));
      applyWindow();
    });
  }
  const zoom = root.querySelector("#zoom");
  zoom.addEventListener("click", () => {
    const enlarged = view.classList.toggle("enlarged");
    zoom.setAttribute("aria-pressed", String(enlarged));
  });

  const began = performance.now();
  root.querySelector("#answer").addEventListener("submit", (event) => {
    event.target.elements.seconds.value = ((performance.now() - began) / 1000).toFixed(1);
  });

  applyWindow();
  load().catch(() => {
    status.className = "banner bad";
    status.textContent = "The images did not come from the node; load the page again.";
  });
})();
