"use strict";
// The noise of a seed, as the program draws it: ChaCha8 keyed by the seed and the name of the stream, then the ziggurat.

const Noise = (() => {
  // Key: the seed, FNV-1a-128 of the name, and zeros, all little-endian.
  function key(seed, name) {
    const mask = (1n << 128n) - 1n;
    let hash = 0x6c62272e07bb014262b821756295c58dn;
    for (const byte of new TextEncoder().encode(name)) {
      hash = ((hash ^ BigInt(byte)) * 0x0000000001000000000000000000013bn) & mask;
    }
    const words = [];
    for (const [number, count] of [[BigInt(seed), 2n], [hash, 4n]]) {
      for (let i = 0n; i < count; i++) words.push(Number((number >> (32n * i)) & 0xffffffffn));
    }
    return [...words, 0, 0];
  }

  // Pairs of 32-bit words [low, high], one 64-bit draw each.
  function* chacha8(seed, name) {
    const input = new Uint32Array(16);
    input.set([0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, ...key(seed, name)]);
    const x = new Uint32Array(16);
    const turn = (value, bits) => (value << bits) | (value >>> (32 - bits));
    const quarter = (a, b, c, d) => {
      x[a] += x[b]; x[d] = turn(x[d] ^ x[a], 16);
      x[c] += x[d]; x[b] = turn(x[b] ^ x[c], 12);
      x[a] += x[b]; x[d] = turn(x[d] ^ x[a], 8);
      x[c] += x[d]; x[b] = turn(x[b] ^ x[c], 7);
    };
    for (let block = 0; ; block++) {
      input[12] = block;
      input[13] = Math.floor(block / 2 ** 32);
      x.set(input);
      for (let round = 0; round < 4; round++) {
        quarter(0, 4, 8, 12); quarter(1, 5, 9, 13); quarter(2, 6, 10, 14); quarter(3, 7, 11, 15);
        quarter(0, 5, 10, 15); quarter(1, 6, 11, 12); quarter(2, 7, 8, 13); quarter(3, 4, 9, 14);
      }
      for (let i = 0; i < 16; i++) x[i] += input[i];
      for (let i = 0; i < 16; i += 2) yield [x[i], x[i + 1]];
    }
  }

  // Doornik's ZIGNOR with 256 boxes: edges and densities.
  const R = 3.654152885361008796;
  const density = (x) => Math.exp((-x * x) / 2);
  const volume = 3.910757959537090045 * density(R);
  const edges = [volume / density(R), R];
  while (edges.length < 256) {
    edges.push(Math.sqrt(-2 * Math.log(volume / edges.at(-1) + density(edges.at(-1)))));
  }
  edges.push(0);
  const densities = edges.map(density);

  function normal(draws) {
    const next = () => draws.next().value;
    const open = () => {
      const [low, high] = next();
      return (high * 2 ** 20 + (low >>> 12)) * 2 ** -52 + 2 ** -53;
    };
    for (;;) {
      const [low, high] = next();
      const box = low & 0xff;
      const u = (high * 2 ** 20 + (low >>> 12)) * 2 ** -51 - 1;
      const x = u * edges[box];
      if (Math.abs(x) < edges[box + 1]) return x;
      if (box === 0) {
        let tail = 1, y = 0;
        while (-2 * y < tail * tail) {
          tail = Math.log(open()) / R;
          y = Math.log(open());
        }
        return u < 0 ? tail - R : R - tail;
      }
      const [l, h] = next();
      const share = (h * 2 ** 21 + (l >>> 11)) * 2 ** -53;
      if (densities[box + 1] + (densities[box] - densities[box + 1]) * share < density(x)) return x;
    }
  }

  // The first `count` numbers of the evaluation's noise.
  function normals(seed, count) {
    const draws = chacha8(seed, "eval-noise");
    return Float32Array.from({ length: count }, () => normal(draws));
  }

  // From a to b along the sphere; a where `share` is 0, b where it is 1.
  function between(a, b, share) {
    if (share <= 0 || share >= 1) return share <= 0 ? a : b;
    let dot = 0, aa = 0, bb = 0;
    for (let i = 0; i < a.length; i++) {
      dot += a[i] * b[i]; aa += a[i] * a[i]; bb += b[i] * b[i];
    }
    const angle = Math.acos(Math.min(1, Math.max(-1, dot / Math.sqrt(aa * bb))));
    if (angle < 1e-6) return a;
    const of = (part) => Math.sin(part * angle) / Math.sin(angle);
    const [p, q] = [of(1 - share), of(share)];
    return a.map((value, i) => p * value + q * b[i]);
  }

  return { normals, between };
})();
if (typeof module !== "undefined") module.exports = Noise;
