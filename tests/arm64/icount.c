/* Counts the instructions that a guest executes, and writes their number to qemu's log when it ends.
 *
 * A TCG plugin of the interface's first version (docs.qemu.org, "QEMU TCG Plugins"), as qemu 7.2 loads it. Debian
 * packages no header of it, so its functions are declared here. Threads of the guest share one counter. A block of
 * instructions counts whole when it is entered, also where a signal ends it early. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#define EXPORTED __attribute__((visibility("default")))

typedef uint64_t plugin_id;
enum { NO_REGISTERS = 0 }; /* of enum qemu_plugin_cb_flags: the callback looks at none */

size_t qemu_plugin_tb_n_insns(const void *block);
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*translated)(plugin_id, void *block));
void qemu_plugin_register_vcpu_tb_exec_cb(void *block, void (*entered)(unsigned, void *), int flags, void *data);
void qemu_plugin_register_atexit_cb(plugin_id id, void (*ended)(plugin_id, void *), void *data);
void qemu_plugin_outs(const char *text);

EXPORTED int qemu_plugin_version = 1;

static uint64_t executed;

static void on_entry(unsigned processor, void *length) {
    (void)processor;
    __atomic_fetch_add(&executed, (uintptr_t)length, __ATOMIC_RELAXED);
}

static void on_translation(plugin_id id, void *block) {
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cb(block, on_entry, NO_REGISTERS, (void *)qemu_plugin_tb_n_insns(block));
}

static void on_end(plugin_id id, void *data) {
    char line[32];
    (void)id, (void)data;
    snprintf(line, sizeof line, "%" PRIu64 "\n", __atomic_load_n(&executed, __ATOMIC_RELAXED));
    qemu_plugin_outs(line);
}

EXPORTED int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv) {
    (void)info, (void)argc, (void)argv;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_end, NULL);
    return 0;
}
