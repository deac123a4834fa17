// The two releases of muxrpc that are in use, behind one signature.
'use strict'
const { project } = require('./peer')

exports.packages = function (v) {
  const load = project(v === '6' ? 'mux6' : 'core')
  return { pull: load('pull-stream'), toPull: load('stream-to-pull-stream'), Mux: load('muxrpc') }
}

exports.create = function (v, remoteManifest, localManifest, api, permissions) {
  const { Mux } = exports.packages(v)
  return v === '6'
    ? Mux(remoteManifest, localManifest, api, 'the other side', permissions, null)
    : Mux(remoteManifest, localManifest, api, permissions, null)
}

// Ends a connection from the serving side.
exports.hangUp = function (rpc, how) {
  how === 'error' ? rpc.close(new Error('server gives up'), () => {}) : rpc.close(() => {})
}
