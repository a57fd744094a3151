# The types by which the native form of lowering.py is compiled: lists, and numbers as in C.
cimport cython

cdef long long _PAIR

cdef class Lowering:
    cdef readonly list names, left, right, by_row, origins, constants, contributions, term_keys, term_parameters
    cdef readonly list nodes, first, second, keys
    cdef readonly dict third, ops, labels
    cdef list _made_by, _upstreams
    cdef dict _numbers, _leaves, _constant_keys, _known, _known_contributions, _recipes, _parameters

    @cython.locals(first=list, second=list, keys=list, origins=list, frequent=dict, known=dict,
                   labels=dict, notes=dict, name=str, note=tuple,
                   number=cython.Py_ssize_t, x=cython.longlong, y=cython.longlong)
    cpdef list forward(self, object outputs)

    @cython.locals(x=cython.longlong, y=cython.longlong, new=object)
    cdef object _line(self, dict known, str name, object a, object b, tuple origin)

    @cython.locals(keys=list, made_by=list, first=list, second=list, order=list, upstreams=list,
                   leads=bytearray, notes=dict, name=str, note=tuple, taken=list,
                   node=cython.Py_ssize_t, x=cython.longlong, y=cython.longlong, to_x=cython.bint, to_y=cython.bint, upstream=object,
                   slope_x=object, slope_y=object, key_x=object, key_y=object)
    cpdef object backward(self, object root, object parameters, dict passed)

    cdef object _give(self, Py_ssize_t operand, object line)
    cdef object _product(self, object upstream, object slope, tuple note)
    cdef object _passed_back(self, str name, object upstream, object slope, tuple note)
    cdef object _contribution(self, object op, object upstream, object slope, tuple note)
    cpdef object constant_behind(self, long long key)

@cython.locals(wanted=bytearray, result=cython.longlong, line=cython.Py_ssize_t, a=cython.longlong, b=cython.longlong)
cpdef bytearray needed(list left, list right, dict third, object results)
