/* SPDX-License-Identifier: Apache-2.0 */
/* Under the name that an installed hiredis has. */
#include "../../hiredis.h"
