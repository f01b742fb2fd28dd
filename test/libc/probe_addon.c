/* A native addon with a library of its own. */
#include <node_api.h>
int half(void);

static napi_value answer(napi_env env, napi_callback_info info)
{
	napi_value value;

	(void)info;
	napi_create_int32(env, 2 * half(), &value);
	return value;
}

NAPI_MODULE_INIT()
{
	napi_value value;

	(void)exports;
	napi_create_function(env, "answer", NAPI_AUTO_LENGTH, answer, NULL, &value);
	return value;
}
