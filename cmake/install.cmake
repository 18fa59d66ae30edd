# PREFIX/bin/alambic and PREFIX/lib/alambic/: ours and the five libraries of the wheels that ours
# need, so that the installed program runs without the checkout and the cache.
set(ALAMBIC_LIBRARIES lib/alambic)
set_target_properties(alambic PROPERTIES INSTALL_RPATH "$ORIGIN/../${ALAMBIC_LIBRARIES}")
install(TARGETS alambic RUNTIME DESTINATION bin)
install(TARGETS alambic_core LIBRARY DESTINATION ${ALAMBIC_LIBRARIES})

if(ALAMBIC_TORCH)
  set_target_properties(alambic_torch PROPERTIES INSTALL_RPATH "$ORIGIN")
  install(TARGETS alambic_torch LIBRARY DESTINATION ${ALAMBIC_LIBRARIES})
  install(PROGRAMS
    "${ALAMBIC_TORCH_LIB}/libtorch_cpu.so" "${ALAMBIC_TORCH_LIB}/libc10.so"
    "${ALAMBIC_TORCH_LIB}/libgomp.so.1" "${ALAMBIC_CUDART_LIB}/libcudart.so.13"
    "${ALAMBIC_CUDART_LIB}/libcupti.so.13"
    DESTINATION ${ALAMBIC_LIBRARIES})
  # The cache's folder came in as a linker option, which CMake leaves in place.
  set(_torch "\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${ALAMBIC_LIBRARIES}/libalambic_torch.so")
  install(CODE "file(RPATH_SET FILE \"${_torch}\" NEW_RPATH \"\\$ORIGIN\")")
endif()
