/** Version of the program, also noted in the traces that it records. */
export const VERSION = "0.1.0";
