// SPDX-License-Identifier: MIT
/* Programs at functions of the host that must be refused, one at a time: -DBAD=n. */
#include <tenon/plugin.h>

#include "typed_api.h"

#ifndef BAD
#define BAD 1
#endif

u64 result;

#if BAD == 1 /* results of lsm are errors or 0 */
SEC("lsm/t_conn_or") int bad(u64 *ctx)
{
	return 1;
}
#elif BAD == 2 /* nobody wants a result of fentry */
SEC("fentry/t_conn_or") int bad(u64 *ctx)
{
	return -1;
}
#elif BAD == 3 /* the result is known afterwards */
SEC("fentry/t_conn_or") int bad(u64 *ctx)
{
	result = ctx[2];
	return 0;
}
#elif BAD == 4 /* no hook of this name */
SEC("fentry/t_sum") int bad(u64 *ctx)
{
	return 0;
}
#elif BAD == 5 /* programs are replaced by the host */
SEC("freplace/t_sum") int bad(u64 *ctx)
{
	return 0;
}
#elif BAD == 6 /* below the errors */
SEC("lsm/t_conn_or") int bad(u64 *ctx)
{
	return -4096;
}
#endif
