/*
 * What the analyzers of `npm run check` read in place of node-addon-api's napi.h: its declarations without the bodies.
 * Nothing is known then of what a call answers, as of the functions of Node behind it. With the bodies the analyzers'
 * time went into following those, and functions of ours were left before their ends.
 *
 * Templates that take a lambda need a body, because no other file can have it.
 */
#ifndef ANALYSIS_NAPI_H
#define ANALYSIS_NAPI_H

#define SRC_NAPI_INL_H_
#include_next <napi.h>

napi_value analysis_made();

/* Somebody has it now, and ends it. */
void analysis_kept(void *what);

namespace Napi
{

template <typename Callable>
inline Function Function::New(napi_env env, Callable, const char *, void *)
{
	return Function(env, analysis_made());
}

template <typename T>
template <typename Finalizer>
inline External<T> External<T>::New(napi_env env, T *data, Finalizer)
{
	analysis_kept(data);
	return External<T>(env, analysis_made());
}

} // namespace Napi

#define NODE_API_MODULE(name, start)                                      \
	napi_value analysis_module(napi_env env, napi_value exports)      \
	{                                                                 \
		return start(Napi::Env(env), Napi::Object(env, exports)); \
	}

#endif
