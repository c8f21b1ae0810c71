"use strict";
// The page: unpacks runtime and networks, draws what the pointer chooses, and compares step counts from the same noise.

(() => {
  const $ = (id) => document.getElementById(id);
  const { models } = JSON.parse($("about").textContent);
  const [channels, height, width] = models[0].shape;
  const dimension = channels * height * width;
  const classes = models[0].classes;

  // ---- what is packed into the page

  async function unpacked(id) {
    const packed = Uint8Array.from(atob($(id).textContent.trim()), (c) => c.charCodeAt(0));
    $(id).remove();
    const { writable, readable } = new DecompressionStream("gzip");
    const writer = writable.getWriter();
    const written = writer.write(packed).then(() => writer.close());
    const [bytes] = await Promise.all([new Response(readable).arrayBuffer(), written]);
    return bytes;
  }

  async function load() {
    const source = new Blob([await unpacked("runtime")], { type: "text/javascript" });
    const address = URL.createObjectURL(source);
    const ort = await import(address);
    URL.revokeObjectURL(address);
    ort.env.wasm.wasmBinary = await unpacked("wasm");
    ort.env.wasm.numThreads = 1; // more need a server that isolates the page
    for (const [index, model] of models.entries()) {
      model.session = await ort.InferenceSession.create(await unpacked(`model-${index}`));
    }
    return ort;
  }

  // ---- sampling

  let last = Promise.resolve();
  /** One after the other: a session runs once at a time. */
  function inTurn(work) {
    const turn = last.then(work, work);
    last = turn.catch(() => {});
    return turn;
  }

  const loaded = load();

  /** Samples of the rows of `noise` with these classes, and the milliseconds of one. */
  async function sample(model, nfe, noise, labels) {
    const ort = await loaded;
    const rows = noise.length / dimension;
    const { times } = model.grids.find((grid) => grid.nfe === nfe);
    const began = performance.now();
    const first = Math.fround(model.start);
    let z = times[0] > model.start ? noise.map((x) => x * first) : noise.slice();
    for (let step = 0; step + 1 < times.length; step++) {
      const [t, r] = [times[step], times[step + 1]].map((time) => Math.min(time, model.start));
      const row = (value) => new ort.Tensor("float32", new Float32Array(rows).fill(value), [rows]);
      const feeds = {
        z: new ort.Tensor("float32", z, [rows, channels, height, width]),
        r: row(model.solver === "euler" ? t : r),
        t: row(t),
      };
      if (classes) feeds.class = new ort.Tensor("int64", BigInt64Array.from(labels, BigInt), [rows]);
      const { u } = await inTurn(() => model.session.run(feeds));
      const length = Math.fround(t - r);
      z = z.map((x, i) => x - Math.fround(u.data[i] * length));
      u.dispose();
    }
    return { values: z, milliseconds: (performance.now() - began) / rows };
  }

  // ---- drawing

  const byte = (x) => Math.min(255, Math.max(0, Math.fround(Math.fround(127.5 * x) + 128)));

  /** Puts one picture into a canvas at column and row of a grid. */
  function put(canvas, values, column = 0, row = 0) {
    const picture = new ImageData(width, height);
    const area = height * width;
    for (let i = 0; i < area; i++) {
      for (let channel = 0; channel < 3; channel++) {
        picture.data[4 * i + channel] = Math.floor(byte(values[(channel % channels) * area + i]));
      }
      picture.data[4 * i + 3] = 255;
    }
    canvas.getContext("2d").putImageData(picture, column * width, row * height);
  }

  const text = (milliseconds) => `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`;

  // ---- what is shown

  const state = { seed: models[0].seed, class: 0, x: 0, y: 0, nfe: models[0].grids[0].nfe };
  let corners = [];

  function seeded(seed) {
    state.seed = seed;
    corners = [0, 1, 2, 3].map((more) => Noise.normals(seed + more, dimension));
    $("seed").value = seed;
  }

  function noise() {
    const [a, b, c, d] = corners;
    return Noise.between(Noise.between(a, b, state.x), Noise.between(c, d, state.x), state.y);
  }

  let running = false, again = false;
  /** Draws the picture under the pointer; while one is being drawn, only the newest wish is kept. */
  async function draw() {
    $("mark").style.left = `${100 * state.x}%`;
    $("mark").style.top = `${100 * state.y}%`;
    if (running) {
      again = true;
      return;
    }
    running = true;
    do {
      again = false;
      const { values, milliseconds } = await sample(models[0], state.nfe, noise(), [state.class]);
      put($("picture"), values);
      $("live").textContent = `${text(milliseconds)} an image`;
    } while (again);
    running = false;
    clearTimeout(draw.rest);
    draw.rest = setTimeout(() => compare().catch(failed), 150);
  }

  let comparison = 0;
  /** The same noise through every network and number of evaluations. */
  async function compare() {
    const mine = ++comparison;
    const start = noise();
    for (const cell of cells) {
      if (mine !== comparison || again || running) return;
      const { values, milliseconds } = await sample(cell.model, cell.nfe, start, [state.class]);
      put(cell.canvas, values);
      cell.time.textContent = text(milliseconds);
    }
  }

  const cells = models.flatMap((model) =>
    model.grids.map(({ nfe }) => {
      const figure = document.createElement("figure");
      const canvas = Object.assign(document.createElement("canvas"), { width, height });
      const caption = document.createElement("figcaption");
      const time = document.createElement("span");
      caption.append(`${model.title}, ${nfe} step${nfe > 1 ? "s" : ""}: `, time);
      figure.append(canvas, caption);
      $("compare").append(figure);
      return { model, nfe, canvas, time };
    }),
  );

  /** 64 samples of the seed, classes in turn: what `meanflow sample -n 64 --seed SEED` writes. */
  async function grid() {
    const labels = Array.from({ length: 64 }, (_, i) => (classes ? i % classes : 0));
    const all = Noise.normals(state.seed, 64 * dimension);
    const { values, milliseconds } = await sample(models[0], state.nfe, all, labels);
    $("grid").hidden = false;
    for (let i = 0; i < 64; i++) {
      put($("grid"), values.subarray(i * dimension, (i + 1) * dimension), i % 8, Math.floor(i / 8));
    }
    $("grid-time").textContent = `64 at once: ${text(milliseconds)} an image`;
  }

  function failed(error) {
    $("failure").textContent = `This does not work here: ${error}`;
  }

  // ---- pointer, keys and buttons

  function at(event) {
    const frame = $("pad").getBoundingClientRect();
    const inside = (value) => Math.min(1, Math.max(0, value));
    state.x = inside((event.clientX - frame.left) / frame.width);
    state.y = inside((event.clientY - frame.top) / frame.height);
    draw().catch(failed);
  }
  $("pad").addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse" || event.buttons) at(event);
  });
  $("pad").addEventListener("pointerdown", at);

  function chosen(label) {
    state.class = label;
    for (const button of $("classes").children) {
      button.setAttribute("aria-pressed", Number(button.dataset.class) === label);
    }
    draw().catch(failed);
  }
  for (let label = 0; label < (classes ?? 0); label++) {
    const button = Object.assign(document.createElement("button"), { textContent: label });
    button.dataset.class = label;
    button.addEventListener("click", () => chosen(label));
    $("classes").append(button);
  }
  $("classes").hidden = !classes;

  function reseeded(seed) {
    if (!Number.isSafeInteger(seed) || seed < 0) return;
    seeded(seed);
    draw().catch(failed);
  }
  $("next").addEventListener("click", () => reseeded(state.seed + 1));
  $("seed").addEventListener("change", () => reseeded(Number($("seed").value)));
  $("sixty-four").addEventListener("click", () => grid().catch(failed));

  document.addEventListener("keydown", (event) => {
    if (event.target.tagName === "INPUT" || event.ctrlKey || event.metaKey || event.altKey) return;
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key in moves) {
      const [dx, dy] = moves[event.key];
      const to = (value, by) => Math.min(1, Math.max(0, Math.round((value + by / 50) * 1e6) / 1e6));
      [state.x, state.y] = [to(state.x, dx), to(state.y, dy)];
      draw().catch(failed);
    } else if (event.key === "n") {
      reseeded(state.seed + 1);
    } else if (event.key === "g") {
      grid().catch(failed);
    } else if (/^[0-9]$/.test(event.key) && Number(event.key) < (classes ?? 0)) {
      chosen(Number(event.key));
    } else {
      return;
    }
    event.preventDefault();
  });

  for (const canvas of [$("picture")]) Object.assign(canvas, { width, height });
  Object.assign($("grid"), { width: 8 * width, height: 8 * height });
  seeded(state.seed);
  const ready = loaded.then(() => {
    $("loading").hidden = true;
    chosen(0);
  });
  ready.catch(failed);

  // For tests: nothing of the page uses it.
  globalThis.meanflow = { ready, models, sample, noise: Noise.normals };
})();
