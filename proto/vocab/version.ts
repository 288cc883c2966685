/** The release all five programs are of. */
export const VERSION = '0.1.0';
