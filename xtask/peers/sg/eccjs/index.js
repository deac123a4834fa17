'use strict'
module.exports = { curves: { k256: null } }
