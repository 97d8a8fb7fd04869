// SPDX-License-Identifier: Apache-2.0
#pragma once

// Marks what the shared library exports. Everything else is compiled with hidden visibility, and portsync.map
// keeps out what the compiler instantiates on its own (std templates of a debug build).
#if defined(__GNUC__)
#define PORTSYNC_API __attribute__((visibility("default")))
#else
#define PORTSYNC_API
#endif
