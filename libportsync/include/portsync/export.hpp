// SPDX-License-Identifier: Apache-2.0
#pragma once

// Marks the symbols that the shared library exports. All others are compiled with hidden visibility. portsync.map also
// hides what the compiler instantiates by itself (std templates in a debug build).
#if defined(__GNUC__)
#define PORTSYNC_API __attribute__((visibility("default")))
#else
#define PORTSYNC_API
#endif
