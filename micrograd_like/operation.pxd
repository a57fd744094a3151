# What the native form of engine.py reads of these classes without asking Python.

# Python's own calls the audit hooks each time, and a walk over a graph asks for a million.
cdef inline Py_ssize_t id(object x) noexcept:
    return <Py_ssize_t><void*>x

cdef class Op:
    cdef public object name, symbol, forward, partials, domain, source, notation
    cdef public object textbook, selects, tails, branchless, cheaper, constant

cdef class Operators:
    pass

cdef class IeeeFloat(Operators):
    cdef readonly double number

cdef class AnomalyMode:
    cdef readonly bint on
    cdef object _inside, _changing

cpdef double evaluate(object expression, object operands) except? -1
cpdef double real(object x) except? -1
