/* What the build puts in front of the C code that mypyc wrote.

   1. How compiled nodes are freed. A chain of nodes must not be freed by recursion, since a million
   nested calls exhaust the stack. mypyc 2.4 relies on CPython's trashcan for that. But up to Python
   3.13 the trashcan links the objects that wait through their garbage-collector header, and `Value`
   has none (it is declared acyclic): the trashcan then writes over whatever lies in front of the
   node. Python 3.14 has no trashcan for such objects at all, so there the recursion would not be
   bounded.

   The two macros below take the place of mypyc's and do the same without the header. Nodes that
   wait are linked through the word after the object's head, where mypyc keeps the pointer to the
   method table: nothing calls a method of a node that is being freed. */

#include <Python.h>
#include "CPy.h"
#include <sys/mman.h>

#ifdef Py_GIL_DISABLED
#error "lists of nodes are guarded by the interpreter's lock"
#endif

/* Two, the least that works: more frees nodes farther from the order in which they lie in memory,
   and takes up to three times as long. */
#define NESTED_DEALLOCS_LIMIT 2

static int nested_deallocs = 0;
static PyObject *waiting_for_dealloc = NULL;

static inline bool defer_dealloc(PyObject *op, destructor dealloc) {
    /* An object of a class that Python interprets is guarded by that class's own dealloc, and
       handing it there a second time would be wrong. */
    if (nested_deallocs < NESTED_DEALLOCS_LIMIT || Py_TYPE(op)->tp_dealloc != dealloc) {
        nested_deallocs++;
        return false;
    }
    memcpy(op + 1, &waiting_for_dealloc, sizeof(PyObject *));
    waiting_for_dealloc = op;
    return true;
}

static inline void dealloc_deferred(void) {
    while (nested_deallocs == 1 && waiting_for_dealloc != NULL) {
        PyObject *op = waiting_for_dealloc;
        memcpy(&waiting_for_dealloc, op + 1, sizeof(PyObject *));
        Py_TYPE(op)->tp_dealloc(op);
    }
    nested_deallocs--;
}

#undef CPy_TRASHCAN_BEGIN
#undef CPy_TRASHCAN_END
#define CPy_TRASHCAN_BEGIN(op, dealloc) \
    if (defer_dealloc((PyObject *)(op), (destructor)(dealloc))) \
        return;
#define CPy_TRASHCAN_END(op) dealloc_deferred();

/* 2. Where a traceback says an error happened. mypyc names a source by its path in the build; the
   module knows where its source lies now, and with that path a traceback shows the line.

   mypyc calls PyFrame_New for nothing but tracebacks, with code it has just made for them. */

static inline PyCodeObject *locate_source(PyCodeObject *code, PyObject *globals) {
    PyObject *file = PyDict_GetItemString(globals, "__file__");
    if (file != NULL && PyUnicode_Check(file)) {
        Py_INCREF(file);
        Py_SETREF(code->co_filename, file);
    }
    return code;
}

#define PyFrame_New(thread, code, globals, locals) \
    PyFrame_New(thread, locate_source(code, globals), globals, locals)

/* 3. Where nodes come from. Python's allocator links what is free in the order in which it was freed,
   and no two graphs are freed in the order in which they are built: after some training steps the
   nodes of a graph lie about at random, and a pass over it waits for memory at every node. It also
   gives memory back when a graph is freed, for the system to clear it anew, page by page, when the
   next step asks for it. So nodes lie in slabs, each with a bit for every node that is vacant, and
   the nodes of a slab are handed out by address. SLABS_KEPT empty ones, and the one in use, wait for
   the next graph; before a slab is added, those are filled up that have a quarter of their nodes
   vacant. The memory is the system's own, for malloc would put slabs 4 MB apart. */

#define SLAB_SIZE ((size_t)1 << 21)  /* a huge page on most systems that have such */
#define SLABS_KEPT 6
#define WORDS 512  /* of 64 bits: nodes are 64 bytes at least */

typedef struct Slab {
    struct Slab *next;  /* in a ring */
    size_t live;
    uint64_t vacant[WORDS];
    char nodes[];
} Slab;

static Slab *slab = NULL;    /* the one that nodes are taken from, */
static size_t word = WORDS;  /* at this word of its bits, */
static uint64_t ready = 0;   /* of which these are left */
static size_t empty_slabs = 0, node_size, nodes_in_slab;

static Slab *add_slab(void) {
    char *memory = mmap(NULL, 2 * SLAB_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    size_t before = -(uintptr_t)memory % SLAB_SIZE;  /* the slab's address is a multiple of its size */
    Slab *added = (Slab *)(memory + before);
    if (before != 0)
        munmap(memory, before);
    munmap(memory + before + SLAB_SIZE, SLAB_SIZE - before);
#ifdef MADV_HUGEPAGE
    madvise(added, SLAB_SIZE, MADV_HUGEPAGE);
#endif
    for (size_t i = 0; i < nodes_in_slab; i++)
        added->vacant[i / 64] |= (uint64_t)1 << i % 64;
    added->next = slab == NULL ? added : slab->next;
    if (slab != NULL)
        slab->next = added;
    empty_slabs++;
    return added;
}

static void remove_slab(Slab *removed) {
    Slab *before = slab;
    while (before->next != removed)
        before = before->next;
    before->next = removed->next;
    munmap(removed, SLAB_SIZE);
    empty_slabs--;
}

static Slab *next_slab(void) {
    Slab *next = slab;
    if (next != NULL)
        do {
            next = next->next;
            if (4 * next->live <= 3 * nodes_in_slab)
                return next;
        } while (next != slab);
    return add_slab();
}

static bool find_vacant(void) {
    do {
        if (word < WORDS - 1) {
            word++;
        } else {
            Slab *next = next_slab();
            if (next == NULL)
                return false;
            slab = next;
            word = 0;
        }
        ready = slab->vacant[word];
        slab->vacant[word] = 0;
    } while (ready == 0);
    return true;
}

static PyObject *take_node(PyTypeObject *type, Py_ssize_t items) {
    if (ready == 0) {
        node_size = type->tp_basicsize;
        nodes_in_slab = Py_MIN((SLAB_SIZE - sizeof(Slab)) / node_size, 64 * WORDS);
        if (!find_vacant())
            return PyErr_NoMemory();
    }
    size_t place = 64 * word + (size_t)__builtin_ctzll(ready);
    ready &= ready - 1;
    if (slab->live++ == 0)
        empty_slabs--;
    PyObject *node = (PyObject *)(slab->nodes + place * node_size);
    memset(node, 0, node_size);
    return PyObject_Init(node, type);
}

static void give_node_back(void *node) {
    Slab *of = (Slab *)((uintptr_t)node & ~(SLAB_SIZE - 1));
    size_t place = ((char *)node - of->nodes) / node_size;
    of->vacant[place / 64] |= (uint64_t)1 << place % 64;
    if (--of->live == 0 && ++empty_slabs > SLABS_KEPT && of != slab)
        remove_slab(of);
}

/* PyType_Ready is what every class of mypyc passes through. */
static int ready_with_slabs(PyTypeObject *type) {
    if (!strcmp(type->tp_name, "Value")) {
        type->tp_alloc = take_node;
        type->tp_free = give_node_back;
    }
    return PyType_Ready(type);
}

#define PyType_Ready(type) ready_with_slabs((PyTypeObject *)(type))
