/* What Python shows of compiled functions: `help`, `inspect.signature` and `inspect.getsource` say of
   them what they say of the functions that Python reads from the same source. native.py uses this
   module when the package is imported. */

#include <Python.h>
#include <structmember.h>

/* A function that runs compiled and is described by the one in the source. Binding it to an object
   and calling it work as with a Python function. */
typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *compiled;  /* what is called, or the getset whose function is called */
    PyObject *written;
    PyTypeObject *type;  /* whose method it is, or NULL */
    PyObject *weak_references;
} Function;

static PyObject *call_compiled(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *names) {
    return PyObject_Vectorcall(((Function *)self)->compiled, args, nargsf, names);
}

/* The getset of `self`, if the arguments are an object that has it and `values` more. */
static PyGetSetDef *getset(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *names,
                           Py_ssize_t values) {
    PyTypeObject *type = ((Function *)self)->type;
    if (PyVectorcall_NARGS(nargsf) != 1 + values || (names != NULL && PyTuple_GET_SIZE(names) != 0)
        || !PyObject_TypeCheck(args[0], type)) {
        PyErr_Format(PyExc_TypeError, "%R takes a %s%s", self, type->tp_name,
                     values ? " and what to set" : "");
        return NULL;
    }
    return ((PyGetSetDescrObject *)((Function *)self)->compiled)->d_getset;
}

static PyObject *call_getter(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *names) {
    PyGetSetDef *of = getset(self, args, nargsf, names, 0);
    return of == NULL ? NULL : of->get(args[0], of->closure);
}

static PyObject *call_setter(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *names) {
    PyGetSetDef *of = getset(self, args, nargsf, names, 1);
    if (of == NULL || of->set(args[0], args[1], of->closure) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *bind(PyObject *self, PyObject *object, PyObject *Py_UNUSED(type)) {
    return object == NULL ? Py_NewRef(self) : PyMethod_New(self, object);
}

static PyObject *attribute(PyObject *self, void *name) {
    return PyObject_GetAttrString(((Function *)self)->written, name);
}

static PyObject *signature(PyObject *self, void *Py_UNUSED(none)) {
    PyObject *inspect = PyImport_ImportModule("inspect");
    if (inspect == NULL)
        return NULL;
    PyObject *found = PyObject_CallMethod(inspect, "signature", "O", ((Function *)self)->written);
    Py_DECREF(inspect);
    return found;
}

static PyObject *representation(PyObject *self) {
    PyObject *name = attribute(self, "__qualname__");
    PyObject *text = name == NULL ? NULL : PyUnicode_FromFormat("<compiled function %U>", name);
    Py_XDECREF(name);
    return text;
}

static PyObject *by_name(PyObject *self, PyObject *Py_UNUSED(none)) {
    return attribute(self, "__qualname__");  /* copies and pickles are the function itself */
}

static void dealloc(Function *self) {
    if (self->weak_references != NULL)
        PyObject_ClearWeakRefs((PyObject *)self);
    Py_DECREF(self->compiled);
    Py_DECREF(self->written);
    Py_XDECREF(self->type);
    PyObject_Free(self);
}

static PyMethodDef function_methods[] = {{"__reduce__", by_name, METH_NOARGS, NULL}, {NULL}};

static PyMemberDef function_members[] = {
    {"__wrapped__", T_OBJECT, offsetof(Function, written), READONLY, NULL},
    {"__objclass__", T_OBJECT_EX, offsetof(Function, type), READONLY, NULL},
    {NULL}};

static PyGetSetDef function_attributes[] = {
    {"__name__", attribute, NULL, NULL, "__name__"},
    {"__qualname__", attribute, NULL, NULL, "__qualname__"},
    {"__module__", attribute, NULL, NULL, "__module__"},
    {"__doc__", attribute, NULL, NULL, "__doc__"},
    {"__annotations__", attribute, NULL, NULL, "__annotations__"},
    {"__signature__", signature, NULL, NULL, NULL},
    {NULL}};

static PyTypeObject function_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "micrograd_like.introspection.compiled_function",
    .tp_basicsize = sizeof(Function),
    .tp_dealloc = (destructor)dealloc,
    .tp_vectorcall_offset = offsetof(Function, vectorcall),
    .tp_weaklistoffset = offsetof(Function, weak_references),
    .tp_call = PyVectorcall_Call,
    .tp_descr_get = bind,
    .tp_repr = representation,
    .tp_methods = function_methods,
    .tp_members = function_members,
    .tp_getset = function_attributes,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR,
};

/* Takes the reference to `compiled`, which may be NULL where an exception is set. */
static PyObject *new_function(vectorcallfunc call, PyTypeObject *type, PyObject *compiled,
                              PyObject *written) {
    Function *made = compiled == NULL ? NULL : PyObject_New(Function, &function_type);
    if (made == NULL) {
        Py_XDECREF(compiled);
        return NULL;
    }
    made->vectorcall = call;
    made->compiled = compiled;
    made->written = Py_NewRef(written);
    made->type = (PyTypeObject *)Py_XNewRef((PyObject *)type);
    made->weak_references = NULL;
    return (PyObject *)made;
}

static PyObject *make_function(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *compiled, *written;
    if (!PyArg_ParseTuple(args, "OO", &compiled, &written))
        return NULL;
    return new_function(call_compiled, NULL, Py_NewRef(compiled), written);
}

/* What __init__ does. mypyc's own takes the object for a new one and does not let go of what it held,
   so a new one is made, and the two exchange their contents. */
static PyObject *initialize(PyObject *self, PyObject *args, PyObject *named) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject *made = type->tp_new(type, args, named);
    if (made == NULL)
        return NULL;
    size_t size = type->tp_basicsize - sizeof(PyObject);
    char held[size];
    memcpy(held, self + 1, size);
    memcpy(self + 1, made + 1, size);
    memcpy(made + 1, held, size);
    Py_DECREF(made);
    Py_RETURN_NONE;
}

static PyMethodDef init = {"__init__", (PyCFunction)(void (*)(void))initialize,
                           METH_VARARGS | METH_KEYWORDS, NULL};

/* Where mypyc lists the methods of `type`, they are taken from there. Python hides those behind the
   slots for operators, whose functions do not return NotImplemented, and behind the slot for
   __init__, which does nothing. */
static PyObject *make_method(PyObject *Py_UNUSED(module), PyObject *args) {
    PyTypeObject *type;
    PyObject *name, *written;
    if (!PyArg_ParseTuple(args, "O!UO", &PyType_Type, &type, &name, &written))
        return NULL;
    PyObject *compiled = NULL;
    PyMethodDef *def = type->tp_methods;
    while (def != NULL && def->ml_name != NULL && PyUnicode_CompareWithASCIIString(name, def->ml_name))
        def++;
    if (def == NULL || def->ml_name == NULL) {
        compiled = Py_XNewRef(PyDict_GetItemWithError(type->tp_dict, name));
    } else if (def->ml_flags & METH_CLASS) {
        compiled = PyDescr_NewClassMethod(type, def);
    } else {
        compiled = PyDescr_NewMethod(type, strcmp(def->ml_name, "__init__") ? def : &init);
    }
    if (compiled == NULL && !PyErr_Occurred())
        PyErr_SetObject(PyExc_KeyError, name);
    return new_function(call_compiled, type, compiled, written);
}

static PyObject *make_accessor(vectorcallfunc call, PyObject *args) {
    PyObject *compiled, *written;
    if (!PyArg_ParseTuple(args, "O!O", &PyGetSetDescr_Type, &compiled, &written))
        return NULL;
    return new_function(call, PyDescr_TYPE(compiled), Py_NewRef(compiled), written);
}

static PyObject *make_getter(PyObject *Py_UNUSED(module), PyObject *args) {
    return make_accessor(call_getter, args);
}

static PyObject *make_setter(PyObject *Py_UNUSED(module), PyObject *args) {
    return make_accessor(call_setter, args);
}

/* Assigning the attributes one by one would turn the slots into calls by name. */
static PyObject *set_members(PyObject *Py_UNUSED(module), PyObject *args) {
    PyTypeObject *type;
    PyObject *members;
    if (!PyArg_ParseTuple(args, "O!O!", &PyType_Type, &type, &PyDict_Type, &members))
        return NULL;
    PyDict_Clear(type->tp_dict);
    if (PyDict_Update(type->tp_dict, members) < 0)
        return NULL;
    PyType_Modified(type);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"function", make_function, METH_VARARGS, NULL},
    {"method", make_method, METH_VARARGS, NULL},
    {"getter", make_getter, METH_VARARGS, NULL},
    {"setter", make_setter, METH_VARARGS, NULL},
    {"set_members", set_members, METH_VARARGS, NULL},
    {NULL}};

/* The modules of mypyc have one state for all interpreters of a process. */
static int start(PyObject *Py_UNUSED(module)) {
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
        PyErr_SetString(PyExc_ImportError, "the compiled engine runs in the main interpreter only");
        return -1;
    }
    return PyType_Ready(&function_type);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, start}, {0, NULL}};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "introspection", .m_methods = functions, .m_slots = slots};

PyMODINIT_FUNC PyInit_introspection(void) {
    return PyModuleDef_Init(&definition);
}
