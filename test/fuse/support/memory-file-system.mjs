// A tiny FUSE file system for the tests: one flat root directory of files in memory, and nothing else.
// Data: { files: { name: text or bytes }, many: how many empty files f0000... to add, directIo, unimplemented }.
import { constants } from 'node:fs';

const dist = new URL('../../../dist/', import.meta.url);
const { fillDirectory, HandleTable, InodeTable, timestampOf } = await import(new URL('fuse/index.js', dist));
const { addressOf, fail } = await import(new URL('libc/index.js', dist));

const BORN = timestampOf(1_700_000_000_123);

class File {
  xattrs = new Map();
  constructor(inode, bytes, mode) {
    this.memory = new Uint8Array(new ArrayBuffer(Math.max(bytes.length, 1 << 16)));
    this.memory.set(bytes);
    this.address = addressOf(this.memory.buffer);
    this.attributes = attributesOf(inode, constants.S_IFREG | mode, bytes.length);
  }
}

function attributesOf(inode, mode, size) {
  return { inode, mode, size, links: 1, uid: 0, gid: 0, atime: BORN, mtime: BORN, ctime: BORN };
}

class MemoryFileSystem {
  names = new Map();
  root = { attributes: attributesOf(1, constants.S_IFDIR | 0o755, 0) };
  nodes = new InodeTable(this.root);
  handles = new HandleTable();
  nextInode = 2;
  counts = { lookup: 0, read: 0, getattr: 0, destroyed: 0 };
  seconds = 60;

  constructor(data, host) {
    this.data = data;
    this.host = host;
    for (const [name, content] of Object.entries(data.files ?? {})) {
      this.add(name, typeof content === 'string' ? Buffer.from(content) : content, 0o644);
    }
    for (let index = 0; index < (data.many ?? 0); index += 1) {
      this.add(`f${String(index).padStart(4, '0')}`, Buffer.alloc(0), 0o644);
    }
  }

  add(name, bytes, mode) {
    const file = new File(this.nextInode++, bytes, mode);
    this.names.set(name, file);
    return file;
  }

  entry(file) {
    return {
      node: this.nodes.remember(file),
      attributes: file.attributes,
      entrySeconds: this.seconds,
      attributeSeconds: this.seconds,
    };
  }

  init() {
    if (this.data.refuseInit) fail('EPROTO', 'this file system does not want to be served');
    return { unimplemented: this.data.unimplemented };
  }

  message(message) {
    if (message.do === 'counts')
      return { ...this.counts, known: this.nodes.size, handles: this.handles.size };
    if (message.do === 'set') {
      const file = this.names.get(message.name);
      file.memory.set(Buffer.from(message.text));
      file.attributes = { ...file.attributes, size: Buffer.byteLength(message.text) };
      if (message.invalidate) this.host.invalidateInode(this.nodes.nodeOf(file));
      return { node: this.nodes.nodeOf(file) };
    }
    if (message.do === 'remove') {
      this.names.delete(message.name);
      return true;
    }
    if (message.do === 'add') {
      this.add(message.name, Buffer.from(message.text), 0o644);
      return true;
    }
    if (message.do === 'die') process.exit(1);
    if (message.do === 'post') return this.host.post('hello');
    return fail('EINVAL', `no such message ${JSON.stringify(message)}`);
  }

  lookup(_parent, name) {
    this.counts.lookup += 1;
    if (name === 'broken') throw new TypeError('a bug on purpose');
    if (name === 'endless') for (;;) this.counts.lookup += 1;
    if (name === 'slow') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500);
    const file = this.names.get(name) ?? fail('ENOENT', 'no such file', { path: name });
    return this.entry(file);
  }

  forget(node, count) {
    this.nodes.forget(node, count);
  }

  getattr(node) {
    this.counts.getattr += 1;
    return { attributes: this.nodes.get(node).attributes, attributeSeconds: this.seconds };
  }

  setattr(node, change) {
    const file = this.nodes.get(node);
    const { attributes } = file;
    if ((change.size ?? 0) > (file.memory?.length ?? 0)) fail('ENOSPC', 'files here are small');
    file.attributes = {
      ...attributes,
      size: change.size ?? attributes.size,
      uid: change.uid ?? attributes.uid,
      gid: change.gid ?? attributes.gid,
      mode: change.mode ?? attributes.mode,
      mtime: change.mtime === 'now' ? timestampOf(Date.now()) : (change.mtime ?? attributes.mtime),
    };
    return this.getattr(node);
  }

  open(node) {
    const { directIo = false, keepCache = false } = this.data;
    return { handle: this.handles.open(this.nodes.get(node)), directIo, keepCache };
  }

  create(_parent, name, mode) {
    const file = this.add(name, Buffer.alloc(0), mode & 0o777);
    return { entry: this.entry(file), opened: { handle: this.handles.open(file) } };
  }

  read(_node, handle, offset, length, answer) {
    this.counts.read += 1;
    const file = this.handles.get(handle);
    const bytes = Math.min(length, file.attributes.size - offset);
    if (bytes > 0) answer.addMemory(file.address + offset, bytes);
  }

  write(_node, handle, offset, data) {
    const file = this.handles.get(handle);
    if (offset + data.length > file.memory.length) fail('ENOSPC', 'files here are small');
    file.memory.set(data, offset);
    file.attributes = { ...file.attributes, size: Math.max(file.attributes.size, offset + data.length) };
    return data.length;
  }

  flush() {}

  release(_node, handle) {
    this.handles.close(handle);
  }

  opendir() {
    return { handle: this.handles.open(this.list()) };
  }

  list() {
    const items = [
      { name: '.', inode: 1, type: constants.S_IFDIR },
      { name: '..', inode: 1, type: constants.S_IFDIR },
    ];
    for (const [name, file] of this.names) {
      items.push({ name, inode: file.attributes.inode, type: constants.S_IFREG, file });
    }
    return items;
  }

  readdir(_node, handle, offset, answer) {
    const listing = handle === 0 ? this.list() : this.handles.get(handle);
    fillDirectory(answer, listing, offset, (item) => this.entry(item.file));
  }

  releasedir(_node, handle) {
    this.handles.close(handle);
  }

  unlink(_parent, name) {
    if (!this.names.delete(name)) fail('ENOENT', 'no such file', { path: name });
  }

  statfs() {
    return {
      blockSize: 4096,
      blocks: 1000,
      freeBlocks: 400,
      availableBlocks: 300,
      files: 50,
      freeFiles: 20,
      nameLength: 255,
    };
  }

  getxattr(node, name) {
    return this.nodes.get(node).xattrs?.get(name) ?? fail('ENODATA', 'no such attribute');
  }

  setxattr(node, name, value) {
    this.nodes.get(node).xattrs.set(name, Uint8Array.from(value));
  }

  listxattr(node) {
    return [...(this.nodes.get(node).xattrs?.keys() ?? [])];
  }

  removexattr(node, name) {
    if (!this.nodes.get(node).xattrs.delete(name)) fail('ENODATA', 'no such attribute');
  }

  destroy() {
    this.host.post('destroyed');
  }
}

export function createFileSystem(data, host) {
  if (data.refuse) fail('EBADMSG', 'this file system does not want to be made');
  return new MemoryFileSystem(data, host);
}
