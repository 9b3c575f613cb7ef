/** Imports go one way: a layer may import itself and those before it. See ARCHITECTURE.md. */
import { assert, assertEquals, assertLess } from "@std/assert";

/** Layers, lowest first; those in one row know nothing of each other. */
const LAYERS: readonly (readonly string[])[] = [
  ["mmu"],
  ["core"],
  ["kernel", "trace"],
  ["replay"],
  ["commands"],
  ["cli.ts", "demo.ts"],
];

/** What makes a run depend on the host: not for the machine. */
const HOST = /\b(Date\b|Math\.random|performance\.|Deno\.|crypto\.|setTimeout|fetch\(["'`])/;

const ROOT = new URL("../", import.meta.url);

/** Paths below `path`, of code that is not a test, from the root. */
function* sources(path: string): Generator<string> {
  if (path.endsWith(".ts")) {
    yield path;
    return;
  }
  for (const { name, isDirectory } of Deno.readDirSync(new URL(path, ROOT))) {
    const isCode = name.endsWith(".ts") && !name.endsWith("_test.ts");
    if (isDirectory || isCode) yield* sources(`${path}/${name}`);
  }
}

/** Paths from the root of the project's own modules that a file imports, also lazily. */
function importsOf(path: string): string[] {
  const text = Deno.readTextFileSync(new URL(path, ROOT));
  const found = text.matchAll(/\b(?:from|import)\s*\(?\s*"(\.[^"]+)"/g);
  return [...found].map(([, specifier]) =>
    new URL(specifier, new URL(path, ROOT)).pathname.slice(ROOT.pathname.length)
  );
}

function rankOf(path: string): number {
  const [layer] = path.split("/");
  return LAYERS.findIndex((names) => names.includes(layer));
}

function isAllowed(from: string, to: string): boolean {
  const sameLayer = from.split("/")[0] === to.split("/")[0];
  // The command line is one module that others of its layer may run.
  if (sameLayer || rankOf(from) === LAYERS.length - 1) return rankOf(to) >= 0;
  return rankOf(to) >= 0 && rankOf(to) < rankOf(from);
}

Deno.test("imports point from later layers to earlier ones", () => {
  const wrong = LAYERS.flat().flatMap((layer) => [...sources(layer)]).flatMap((path) =>
    importsOf(path).filter((target) => !isAllowed(path, target)).map((to) => `${path} -> ${to}`)
  );
  assertEquals(wrong, []);
});

Deno.test("importsOf() sees static, type and lazy imports", () => {
  const imports = importsOf("cli.ts");
  assertEquals(imports.includes("commands/record.ts"), true);
  assertEquals(imports.includes("commands/dispatch.ts"), true);
});

Deno.test("the machine knows no clock, no chance and no host", () => {
  const wrong = ["mmu", "core"].flatMap((layer) => [...sources(layer)]).filter((path) => {
    const text = Deno.readTextFileSync(new URL(path, ROOT));
    const code = text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
    return HOST.test(code);
  });
  assertEquals(wrong, []);
});

Deno.test("every command is one file that cli.ts loads lazily", () => {
  const text = Deno.readTextFileSync(new URL("cli.ts", ROOT));
  const eager = [...text.matchAll(/^import .* from "\.\/commands\/([^"]+)"/gm)].map(([, n]) => n);
  const lazy = [...text.matchAll(/import\("\.\/commands\/([^"]+)"\)/g)].map(([, name]) => name);
  assertEquals(eager.filter((name) => lazy.includes(name)), []);
  assertLess(text.split("\n").length, 100);
});

/** Paths of the modules that are loaded with one: what it imports, but for types and lazily. */
function loadedWith(path: string, found = new Set<string>()): Set<string> {
  if (found.has(path)) return found;
  found.add(path);
  const text = Deno.readTextFileSync(new URL(path, ROOT));
  const imports = text.matchAll(/^(?:import|export)\s+(?!type\b)[^;]*?\bfrom\s+"(\.[^"]+)"/gm);
  for (const [, specifier] of imports) {
    const target = new URL(specifier, new URL(path, ROOT)).pathname;
    loadedWith(target.slice(ROOT.pathname.length), found);
  }
  return found;
}

Deno.test("commands that execute nothing load no machine, record loads no debugger", () => {
  for (const command of ["info", "events", "calls"]) {
    const loaded = loadedWith(`commands/${command}.ts`);
    assert(loaded.has("trace/reader.ts"));
    assert(!loaded.has("core/machine.ts"), command);
  }
  const loaded = loadedWith("commands/record.ts");
  assert(loaded.has("core/machine.ts"));
  for (const apart of ["replay/session.ts", "kernel/build.ts"]) assert(!loaded.has(apart), apart);
});
