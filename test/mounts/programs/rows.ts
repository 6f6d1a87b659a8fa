/** A program, or a few calls of one, as users make them on a mount. */
export interface Row {
  readonly name: string;
  /** Programs, and `python:MODULE`. */
  readonly needs: readonly string[];
  /**
   * For bash -eu, in an empty directory ($T). $S is a tree to copy, $A a directory of the host, $HERE this folder. What it prints must not
   * depend on when and where it runs.
   */
  readonly script: string;
  /** Whether modification times of files must be the same too. */
  readonly keepsTimes?: boolean;
  /** False where two runs leave different bytes (git stores times). */
  readonly comparesTree?: boolean;
  /** What must hold after the mount was taken down and made again. */
  check?(directory: string): void;
}

const same = 'diff -r --no-dereference';

export const rows: readonly Row[] = [
  {
    name: 'cp -a',
    needs: ['cp', 'diff'],
    script: `cp -a "$S/." . && ${same} "$S" .`,
    keepsTimes: true,
  },
  {
    name: 'mv, ln, ln -s, ln -sfn, rm -rf',
    needs: [],
    script: `
      cp -r "$S" a; mv a b; ln b/readme hard; ln -s b/readme soft; cat soft hard
      ln -sfn b/bin/run soft; readlink soft; mv b/bin/run run; mv -f hard run; rm -rf b/deep
      sleep 2; mv b c; ln c/readme again; ln -sfn c/package soft; ls -R c; rm -rf c; cat again; rm run
      mkdir d e; mv -T d e; rmdir e; mkdir full; touch full/x; ! rmdir full 2>/dev/null; ls -l | wc -l`,
  },
  {
    name: 'tar x, tar c, tar --compare',
    needs: ['tar'],
    script: `
      tar -C "$S" --sort=name -cf "$A/one.tar" . && tar xf "$A/one.tar" && tar --compare -f "$A/one.tar"
      tar --sort=name --exclude=./second.tar -cf "$A/two.tar" . && tar tvf "$A/two.tar" | wc -l
      sleep 2; tar --compare -f "$A/one.tar"; tar xf "$A/one.tar"; tar --compare -f "$A/one.tar"`,
    keepsTimes: true,
  },
  {
    name: 'zip and unzip, twice',
    needs: ['zip', 'unzip'],
    script: `
      (cd "$S" && zip -qry "$A/s.zip" .); unzip -q "$A/s.zip"; unzip -qo "$A/s.zip"; ${same} "$S" .
      zip -qry all.zip bin; zip -q all.zip readme; unzip -tq all.zip; rm all.zip`,
    keepsTimes: true,
    comparesTree: false,
  },
  {
    name: 'rsync -a --delete twice, --inplace, --append',
    needs: ['rsync'],
    script: `
      cp -a "$S" "$A/s"; rsync -aH --delete "$A/s/" copy/; rsync -aHi --delete "$A/s/" copy/
      rm -r "$A/s/package"; echo more >> "$A/s/readme"; touch -d 2001-01-01 "$A/s/readme"; sleep 2
      rsync -aHi --delete "$A/s/" copy/ | sort; rsync -aHi --delete "$A/s/" copy/
      echo again >> "$A/s/readme"; rsync -aH --inplace "$A/s/" copy/; ${same} "$A/s" copy
      echo end >> "$A/s/readme"; rsync -aH --append "$A/s/" copy/; ${same} "$A/s" copy`,
  },
  {
    name: 'sed -i, ed, vim :w',
    needs: ['sed', 'ed', 'vim'],
    script: `
      printf 'one\\ntwo\\n' > f; sed -i s/one/1/ f; sleep 2; sed -i s/two/2/ f; cat f
      printf '1s/1/I/\\nw\\nq\\n' | ed -s f; cat f
      for n in 1 2; do vim -es -u NONE -i NONE -c "%s/$/+/" -c wq f < /dev/null; cat f; sleep 2; done; ls -A`,
  },
  {
    name: 'git clone, commit, gc, log, status, fsck',
    needs: ['git'],
    script: `
      export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
      export GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z' GIT_CONFIG_GLOBAL=/dev/null
      git init -q -b main "$A/origin"; cp -r "$S/." "$A/origin"; git -C "$A/origin" add -A; git -C "$A/origin" commit -qm first
      git clone -q "file://$A/origin" clone; cd clone; git status --short; echo more >> readme; git commit -qam second
      git checkout -q -b side; git mv readme README; git rm -q package/data.bin; git commit -qm third; git log --oneline
      git checkout -q main; git merge -q side; git stash list; git gc -q --prune=now; git fsck --strict; git status --short
      git branch -d side; git reset -q --hard HEAD~1; git clean -fdq; git log --format=%s`,
    comparesTree: false,
  },
  {
    name: 'sqlite: create, insert, update, vacuum, with a rollback journal',
    needs: ['sqlite3'],
    script: `
      sqlite3 a.db 'create table t(k integer primary key, v text)'
      for n in 1 2 3; do sqlite3 a.db "insert into t(v) select hex(randomblob(40)) from generate_series(1,300)"; done
      sqlite3 a.db "update t set v = 'x' || k; delete from t where k % 2; vacuum; select count(*), sum(k) from t; pragma integrity_check"
      sleep 2; sqlite3 a.db "insert into t(v) values ('late'); select count(*) from t"
      sqlite3 a.db "begin; delete from t; rollback; select count(*) from t; pragma journal_mode=persist; delete from t where k < 100; select count(*) from t"
      ls`,
    comparesTree: false,
  },
  {
    name: 'sqlite in WAL mode',
    needs: ['sqlite3'],
    script: `sqlite3 w.db "pragma journal_mode=wal; create table t(v); insert into t values (1), (2); select sum(v) from t"; sqlite3 w.db 'select count(*) from t'`,
    comparesTree: false,
  },
  {
    name: 'Python: tempfile, json, zipfile append, shutil',
    needs: ['python3'],
    script: 'python3 "$HERE/standard.py"',
    comparesTree: false,
  },
  {
    name: 'Python packages: empty __init__.py, compileall',
    needs: ['python3'],
    script: `
      mkdir -p site/pkg/sub; touch site/pkg/__init__.py site/pkg/sub/__init__.py; echo 'value = 42' > site/pkg/sub/m.py
      PYTHONPATH=site python3 -c 'import pkg.sub.m; print(pkg.sub.m.value)'; python3 -m compileall -q -f site; find site | sort | sed s/cpython-[0-9]*/cpython/`,
    comparesTree: false,
  },
  {
    name: 'numpy: save, savez, open_memmap',
    needs: ['python3', 'python:numpy'],
    script: 'python3 "$HERE/arrays.py"',
    comparesTree: false,
  },
  {
    name: 'a temporary that is renamed while it is open (safetensors 0.8)',
    needs: ['python3'],
    script: 'python3 "$HERE/renamed_open.py"; sha256sum model.safetensors',
  },
  {
    name: 'curl -o, cut and resumed',
    needs: ['curl', 'node'],
    script: `
      node "$HERE/server.mjs" > "$A/port" & server=$!; trap 'kill $server' EXIT; until [ -s "$A/port" ]; do sleep 0.1; done
      url=http://127.0.0.1:$(cat "$A/port"); ! curl -s -o file "$url/cut" ; stat -c %s file
      sleep 2; curl -s -C - -o file "$url/whole"; stat -c %s file; sha256sum file; curl -s -o file "$url/short"; cat file`,
  },
  {
    name: '>>, >, touch -d, truncate, mkdir -p, rmdir, install -m, find -newer',
    needs: ['install', 'truncate'],
    script: `
      echo one > log; echo two >> log; sleep 2; echo three >> log; cat log; echo new > log; cat log; truncate -s 2 log; cat log; echo; truncate -s 0 log; wc -c < log
      truncate -s 100000 log; tail -c 3 log | od -An -c; touch empty; touch -d '2001-02-03 04:05:06 UTC' old; mkdir -p a/b/c; rmdir -p a/b/c
      install -D -m 640 -d dir; install -m 751 "$S/bin/run" dir/run; dir/run; : > mark; sleep 0.1; echo x > newer; find . -newer mark -type f | sort; ls`,
  },
  {
    name: 'patch, and a C project by make',
    needs: ['patch', 'make', 'gcc'],
    script: `
      printf '#include <stdio.h>\\nint main(void) { puts("old"); return 0; }\\n' > m.c
      printf 'm: m.o\\n\\tgcc -o m m.o\\nm.o: m.c\\n\\tgcc -c m.c\\nclean:\\n\\trm -f m m.o\\n' > Makefile
      make; ./m; sleep 2; sed s/old/new/ m.c > n.c; diff -u m.c n.c > d.patch || true; patch -s m.c d.patch; rm n.c d.patch; make; ./m; make; make clean; ls`,
  },
  {
    name: 'npm install of a packed package',
    needs: ['npm'],
    script: `
      mkdir "$A/p"; printf '{"name":"p","version":"1.0.0","bin":{"p":"p.js"}}' > "$A/p/package.json"; printf '#!/usr/bin/env node\\nconsole.log("p runs")\\n' > "$A/p/p.js"
      (cd "$A" && npm pack --silent ./p > /dev/null); printf '{"name":"q","version":"1.0.0","private":true}' > package.json
      npm install --silent --offline --no-audit --no-fund "$A/p-1.0.0.tgz"; npx --offline p; npm uninstall --silent --offline --no-audit --no-fund p; ls -A`,
    comparesTree: false,
  },
  {
    name: 'inotifywait sees local changes',
    needs: ['inotifywait'],
    script: `
      mkdir w; inotifywait -q -m -e create -e moved_to -e delete -e close_write --format '%e %f' w > "$A/seen" 2> "$A/log" & watcher=$!
      trap 'kill $watcher' EXIT; for n in $(seq 100); do grep -q . /proc/$watcher/fdinfo/3 2>/dev/null && break; sleep 0.05; done; sleep 0.5
      echo 1 > w/a; mv w/a w/b; rm w/b; for n in $(seq 100); do grep -q DELETE "$A/seen" && break; sleep 0.05; done; cat "$A/seen"`,
  },
  {
    name: 'duckdb: COPY to parquet and csv',
    needs: ['duckdb'],
    script: `duckdb a.duckdb "create table t as select range k from range(1000); copy t to 't.parquet'; copy t to 't.csv'; select count(*), sum(k) from 't.parquet'"; wc -l t.csv`,
    comparesTree: false,
  },
];
