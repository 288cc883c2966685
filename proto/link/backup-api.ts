/** A copy of everything a master knows, as the console service gives it. */
export interface BackupApi {
  /**
   * An encrypted backup, part by part: proto/vocab/backup.ts has its form. A stream that ends early ends with an error.
   * @throws AppError `forbidden`, `unavailable`
   */
  createBackup(args: { readonly passphrase: string }): AsyncIterable<Uint8Array>;
}
