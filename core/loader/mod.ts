/** Loaders: from image files to a machine that is ready to run. */
export * from "./boot.ts";
export * from "./device_tree.ts";
export * from "./dwarf_line.ts";
export * from "./elf.ts";
export * from "./flattened_tree.ts";
export * from "./gzip.ts";
export * from "./image_error.ts";
export * from "./linux_image.ts";
