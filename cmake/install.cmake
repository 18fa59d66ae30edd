# PREFIX/bin/alambic and PREFIX/lib/alambic/: ours and the five libraries of the wheels that ours
# need, so that the installed program runs without the checkout and the cache.
set(ALAMBIC_LIBRARIES lib/alambic)
install(TARGETS alambic RUNTIME DESTINATION bin)
install(TARGETS alambic_core LIBRARY DESTINATION ${ALAMBIC_LIBRARIES})
set(_rpaths "bin/alambic=$ORIGIN/../${ALAMBIC_LIBRARIES}"
            "${ALAMBIC_LIBRARIES}/libalambic_core.so=$ORIGIN")

if(ALAMBIC_TORCH)
  install(TARGETS alambic_torch LIBRARY DESTINATION ${ALAMBIC_LIBRARIES})
  list(APPEND _rpaths "${ALAMBIC_LIBRARIES}/libalambic_torch.so=$ORIGIN")
  install(PROGRAMS
    "${ALAMBIC_TORCH_LIB}/libtorch_cpu.so" "${ALAMBIC_TORCH_LIB}/libc10.so"
    "${ALAMBIC_TORCH_LIB}/libgomp.so.1" "${ALAMBIC_CUDART_LIB}/libcudart.so.13"
    "${ALAMBIC_CUDART_LIB}/libcupti.so.13"
    DESTINATION ${ALAMBIC_LIBRARIES})
endif()

# CMake's own INSTALL_RPATH keeps the cache's folder, which came in as a linker option.
foreach(_entry IN LISTS _rpaths)
  string(REPLACE "=" ";" _entry "${_entry}")
  list(GET _entry 0 _file)
  list(GET _entry 1 _rpath)
  install(CODE "file(RPATH_SET FILE \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${_file}\"
                     NEW_RPATH \"\\${_rpath}\")")
endforeach()
