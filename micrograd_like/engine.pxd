# The types by which the native form of engine.py is compiled: slots and numbers as in C.
#
# A slot is read without asking what kind of object holds it. That is safe in operators, properties
# and the functions below, whose arguments are checked, but not in a method with a plain name, such
# as __reduce__: Value.__reduce__(3) runs it on 3. Those go through properties and functions.
cimport cython
from libc cimport math
from micrograd_like.operation cimport AnomalyMode, Op, Operators, evaluate, real

cdef Op _ADD, _MUL
cdef AnomalyMode anomaly_mode
cdef int _depth
cdef list _waiting
cdef long long _freed
cdef list _kept

@cython.final
cdef class Value(Operators):
    # What a walk or a pass reads comes first, so that it lies in as few lines of the cache.
    cdef double _grad, _da, _db
    cdef long long _mark
    cdef object _a, _b
    cdef Op _made_by
    cdef str _label
    cdef double _data

@cython.locals(node=Value, entered=cython.longlong, done=cython.longlong)
cpdef list topological_order(Value root, object stop=*)

@cython.locals(value=Value, place=cython.Py_ssize_t)
cpdef object read_data(tuple values, double[::1] into)

@cython.locals(value=Value, place=cython.Py_ssize_t)
cpdef object add_gradients(tuple values, const double[::1] slopes)

@cython.locals(node=Value, numbers=dict, nodes=list, names=list, first=list, second=list, labels=dict, todo=list, number=cython.Py_ssize_t,
               entered=cython.longlong, done=cython.longlong)
cpdef object columns_of(object roots)

@cython.locals(node=Value)
cpdef object exchange_operands(object nodes, dict[Value, Value] exchanged)

@cython.locals(node=Value)
cdef int _start_at_zero(list[Value] order, dict[Value, double] earlier) except -1

@cython.locals(node=Value, operand=Value)
cdef int _chain_rule(list[Value] order, double seed) except -1

cpdef double contribution(Value node, double upstream, double slope)
cdef double _not_finite(Value node, double upstream, double slope)

cdef Value _node(double data, Op op, object a, double da, object b=*, double db=*)
cpdef tuple computed(Value node)
cpdef object set_computed(Value node, double data, double da, double db)
