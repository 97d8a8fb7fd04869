# SPDX-License-Identifier: Apache-2.0
# Makes Doxygen's comments of plain ones: "// text" above what it describes, "code  // text" behind it.
1s,^// SPDX-License-Identifier.*,,
s,^\( *\)//\( \|$\),\1///\2,
s,^\(.*[^ ].*[^:/]\)//<\{0\,1\} ,\1///< ,
# What these do needs no comment in the header.
/^\[\[nodiscard\]\].* operator[!=]=(/s,^,/** Compares every member. */ ,
