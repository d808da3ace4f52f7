/* registry.h - the tables of natives, by name. */
#ifndef OX_RUNTIME_LIB_REGISTRY_H
#define OX_RUNTIME_LIB_REGISTRY_H

#include "../native.h"

extern const ModuleDef module_core;
extern const ModuleDef methods_string, methods_list, methods_map, methods_set, methods_range;
extern const ModuleDef module_string, module_list, module_map, module_set;
extern const ModuleDef module_math, module_json, module_regex, module_random, module_time;
extern const ModuleDef module_os, module_fs, module_path, module_process, module_io, module_test;
extern const ModuleDef module_memory, module_buddy, module_weak;
extern const ModuleDef module_args, module_csv, module_iter, module_queue, module_text; /* std.c */
extern const ModuleDef module_regex_pattern, module_random_generator, module_fs_file;
extern const ModuleDef module_io_stream, module_buddy_manager, module_weak_ref, module_weak_map;
extern const ModuleDef module_prelude; /* helpers that only lib/prelude.oxb imports */

/* Adds the functions of a table to a map name -> value: modules offer the methods of their type. */
bool registry_export_all(ox_VM *vm, const ModuleDef *def, Value exports);

#endif
