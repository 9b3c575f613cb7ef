/**
 * A guest image, initrd or device tree that cannot be used. The message is one line that says what
 * was found, where, and what was expected; it is shown to the user as it is.
 */
export class ImageError extends Error {
  /** `ImageError` */
  override name = "ImageError";
}
