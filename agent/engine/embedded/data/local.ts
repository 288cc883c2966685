import type { DataCall, DataCalls, DataPort, DataTable } from './messages.ts';

/** Data in the same process. Messages are cloned as they would be on the way to a worker: nothing is shared. */
export function localData(table: DataTable): DataPort {
  return {
    call: async <K extends DataCall>(name: K, args: DataCalls[K]['args']): Promise<DataCalls[K]['ok']> => {
      const run = table[name] as (args: DataCalls[K]['args']) => Promise<DataCalls[K]['ok']>;
      return structuredClone(await run(structuredClone(args)));
    },
  };
}
