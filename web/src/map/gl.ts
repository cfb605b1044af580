// gl.ts: points by WebGL 2. The positions of all frames lie in one static buffer; a draw call points two attributes at the
// frames on both sides of the clock and the shader mixes them, so that playing and scrubbing upload nothing.

import { growth, sizeOf, type DrawState, type PointData, type PointRenderer } from "./renderer.ts";
import { rgb } from "../theme.ts";

const VERTEX = `#version 300 es
in vec2 from, to;
in float size, movedFrom, movedTo, cluster;
uniform vec2 scale, shift;
uniform float mixing, grow, byMovement;
uniform sampler2D palette;
out vec4 color;
out float edge;
void main() {
  vec2 at = mix(from, to, mixing);
  gl_Position = vec4(at * scale + shift, 0.0, 1.0);
  float diameter = max(1.0, size * grow);
  gl_PointSize = diameter + 1.0;
  edge = 1.0 / (diameter + 1.0);
  float moved = mix(movedFrom, movedTo, mixing);
  vec3 hue = byMovement > 0.5 ? texelFetch(palette, ivec2(int(moved + 0.5), 1), 0).rgb
                              : texelFetch(palette, ivec2(int(cluster + 0.5), 0), 0).rgb;
  color = vec4(hue, byMovement > 0.5 ? 0.35 + 0.65 * moved / 255.0 : 1.0);
}`;

const FRAGMENT = `#version 300 es
precision mediump float;
in vec4 color;
in float edge;
uniform float alpha;
out vec4 pixel;
void main() {
  float distance = length(gl_PointCoord - 0.5);
  float inside = 1.0 - smoothstep(0.5 - 1.5 * edge, 0.5, distance);
  float a = inside * alpha * color.a;
  if (a < 0.01) discard;
  pixel = vec4(color.rgb * a, a);
}`;

function compile(gl: WebGL2RenderingContext): WebGLProgram {
  const program = gl.createProgram()!;
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]] as const) {
    const shader = gl.createShader(kind)!;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
    gl.deleteShader(shader);
  }
  gl.bindAttribLocation(program, 0, "from");
  gl.linkProgram(program);
  return program;
}

// A browser that was told to do WebGL by the processor passes it off as a graphics card's.
function isSoftware(gl: WebGL2RenderingContext): boolean {
  const names = gl.getExtension("WEBGL_debug_renderer_info");
  return /swiftshader|llvmpipe|softpipe|software|basic render/i.test(String(gl.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : gl.RENDERER)));
}

export class GlRenderer implements PointRenderer {
  readonly kind = "gl";
  private program: WebGLProgram;
  private place = new Map<string, WebGLUniformLocation | null>();
  private positions: WebGLBuffer;
  private movement: WebGLBuffer;
  private sizes: WebGLBuffer;
  private clusters: WebGLBuffer;
  private order: WebGLBuffer;
  private palette: WebGLTexture;
  private data: PointData | null = null;
  private uploaded: boolean[] = [];
  private uploadedMovement: boolean[] = [];
  private paletteOf = "";

  // Throws where there is no WebGL 2, or, unless `slowly`, none by a graphics card. lost: called when the browser takes the
  // context away. The shaders are compiled meanwhile: nothing waits for them before there is data.
  constructor(readonly canvas: HTMLCanvasElement, slowly: boolean, lost: () => void) {
    const gl = canvas.getContext("webgl2", { antialias: false, depth: false, alpha: true, powerPreference: "high-performance", failIfMajorPerformanceCaveat: !slowly });
    if (!gl) throw new Error("no WebGL 2");
    if (!slowly && isSoftware(gl)) {
      gl.getExtension("WEBGL_lose_context")?.loseContext();
      throw new Error("WebGL by the processor");
    }
    this.gl = gl;
    canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault();
      if (!this.disposed) lost();
    });
    this.program = compile(gl);
    [this.positions, this.movement, this.sizes, this.clusters, this.order] =
      [0, 0, 0, 0, 0].map(() => gl.createBuffer()!) as [WebGLBuffer, WebGLBuffer, WebGLBuffer, WebGLBuffer, WebGLBuffer];
    this.palette = gl.createTexture()!;
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }
  private gl: WebGL2RenderingContext;

  // Throws where the shaders turn out not to link.
  setData(data: PointData): void {
    const { gl } = this;
    if (!gl.getProgramParameter(this.program, gl.LINK_STATUS) && !gl.isContextLost()) throw new Error(gl.getProgramInfoLog(this.program) ?? "the shaders do not link");
    this.data = data;
    this.uploaded = new Array<boolean>(data.frames).fill(false);
    this.uploadedMovement = new Array<boolean>(data.frames).fill(false);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.positions);
    gl.bufferData(gl.ARRAY_BUFFER, data.positions.byteLength, gl.STATIC_DRAW);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.movement);
    gl.bufferData(gl.ARRAY_BUFFER, data.movement.byteLength, gl.STATIC_DRAW);
    const sizes = new Float32Array(data.words), order = new Uint32Array(data.words);
    for (let w = 0; w < data.words; w++) {
      sizes[w] = sizeOf(data.counts[w] ?? 0, w, data.words);
      order[w] = data.words - 1 - w; // frequent words are drawn last, above the others
    }
    gl.bindBuffer(gl.ARRAY_BUFFER, this.sizes);
    gl.bufferData(gl.ARRAY_BUFFER, sizes, gl.STATIC_DRAW);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.order);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, order, gl.STATIC_DRAW);
    this.clustersChanged(data.clusters);
  }

  clustersChanged(clusters: Uint8Array | null): void {
    const { gl, data } = this;
    if (!data) return;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.clusters);
    gl.bufferData(gl.ARRAY_BUFFER, clusters ?? new Uint8Array(data.words).fill(255), gl.STATIC_DRAW);
  }

  frames(have: boolean[], haveMovement: boolean[]): void {
    const { gl, data } = this;
    if (!data) return;
    const upload = (buffer: WebGLBuffer, there: boolean[], done: boolean[], source: Int16Array | Uint8Array, each: number): void => {
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      for (let f = 0; f < there.length; f++) {
        if (!there[f] || done[f]) continue;
        gl.bufferSubData(gl.ARRAY_BUFFER, f * each * source.BYTES_PER_ELEMENT, source, f * each, each);
        done[f] = true;
      }
    };
    upload(this.positions, have, this.uploaded, data.positions, data.words * 2);
    upload(this.movement, haveMovement, this.uploadedMovement, data.movement, data.words);
  }

  resize(width: number, height: number, ratio: number): void {
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.gl.viewport(0, 0, this.canvas.width, this.canvas.height);
  }

  private uniform(name: string): WebGLUniformLocation | null {
    if (!this.place.has(name)) this.place.set(name, this.gl.getUniformLocation(this.program, name));
    return this.place.get(name)!;
  }

  private attribute(name: string, buffer: WebGLBuffer, size: number, type: number, offset: number): void {
    const { gl } = this, at = gl.getAttribLocation(this.program, name);
    if (at < 0) return;
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.enableVertexAttribArray(at);
    gl.vertexAttribPointer(at, size, type, false, 0, offset);
  }

  private setPalette(state: DrawState): void {
    const { gl } = this, { colors } = state;
    gl.bindTexture(gl.TEXTURE_2D, this.palette);
    if (this.paletteOf === colors.paper) return;
    this.paletteOf = colors.paper;
    const pixels = new Uint8Array(2 * 256 * 3);
    for (let k = 0; k < 256; k++) pixels.set(rgb(k < colors.hues.length ? colors.hues[k]! : colors.none), 3 * k);
    pixels.set(colors.scale, 256 * 3);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, 256, 2, 0, gl.RGB, gl.UNSIGNED_BYTE, pixels);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  }

  draw(state: DrawState): void {
    const { gl, data } = this;
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (!data || data.words === 0) return;
    gl.useProgram(this.program);
    this.setPalette(state);
    const { from, to, transform } = state, { words } = data;
    const width = this.canvas.width / state.ratio, height = this.canvas.height / state.ratio;
    this.attribute("from", this.positions, 2, gl.SHORT, from * words * 4);
    this.attribute("to", this.positions, 2, gl.SHORT, to * words * 4);
    this.attribute("movedFrom", this.movement, 1, gl.UNSIGNED_BYTE, from * words);
    this.attribute("movedTo", this.movement, 1, gl.UNSIGNED_BYTE, to * words);
    this.attribute("size", this.sizes, 1, gl.FLOAT, 0);
    this.attribute("cluster", this.clusters, 1, gl.UNSIGNED_BYTE, 0);
    gl.uniform2f(this.uniform("scale"), (2 * transform.scale) / width, (2 * transform.scale) / height);
    gl.uniform2f(this.uniform("shift"), (2 * transform.dx) / width - 1, 1 - (2 * transform.dy) / height);
    gl.uniform1f(this.uniform("mixing"), state.mix);
    gl.uniform1f(this.uniform("grow"), growth(state.zoom) * state.ratio);
    gl.uniform1f(this.uniform("byMovement"), state.byMovement ? 1 : 0);
    gl.uniform1f(this.uniform("alpha"), state.dimmed ? 0.35 : 0.85);
    gl.uniform1i(this.uniform("palette"), 0);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.order);
    const most = Math.min(words, state.most);
    gl.drawElements(gl.POINTS, most, gl.UNSIGNED_INT, 4 * (words - most));
  }

  private disposed = false;
  dispose(): void {
    this.disposed = true;
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}
