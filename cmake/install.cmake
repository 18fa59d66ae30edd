# PREFIX/bin/alambic and PREFIX/lib/alambic/: ours and the five libraries of the wheels that ours
# need, so that the installed program runs without the checkout and the cache. For programs that
# use the library: PREFIX/include/alambic/ and find_package(alambic), in PREFIX/lib/cmake/alambic/.
include(CMakePackageConfigHelpers)
set(ALAMBIC_LIBRARIES lib/alambic)
set(ALAMBIC_PACKAGE lib/cmake/alambic)
set_target_properties(alambic PROPERTIES INSTALL_RPATH "$ORIGIN/../${ALAMBIC_LIBRARIES}")
set_target_properties(alambic_core PROPERTIES EXPORT_NAME core)
install(TARGETS alambic RUNTIME DESTINATION bin)
install(TARGETS alambic_core EXPORT alambicCoreTargets LIBRARY DESTINATION ${ALAMBIC_LIBRARIES})
install(EXPORT alambicCoreTargets NAMESPACE alambic:: DESTINATION ${ALAMBIC_PACKAGE})

if(ALAMBIC_ARROW)
  set_target_properties(alambic_arrow PROPERTIES INSTALL_RPATH "$ORIGIN")
  install(TARGETS alambic_arrow LIBRARY DESTINATION ${ALAMBIC_LIBRARIES})
  install(PROGRAMS "${ALAMBIC_ARROW_LIB}/libarrow.so.2600" "${ALAMBIC_ARROW_LIB}/libparquet.so.2600"
          DESTINATION ${ALAMBIC_LIBRARIES})
  install(DIRECTORY "${ALAMBIC_ARROW_DIR}/pyarrow-${ALAMBIC_ARROW_VERSION}.dist-info/licenses"
          DESTINATION share/doc/alambic/pyarrow OPTIONAL)
endif()

if(ALAMBIC_TORCH)
  set_target_properties(alambic_torch PROPERTIES INSTALL_RPATH "$ORIGIN" EXPORT_NAME alambic)
  install(TARGETS alambic_torch EXPORT alambicTorchTargets LIBRARY DESTINATION ${ALAMBIC_LIBRARIES})
  install(EXPORT alambicTorchTargets NAMESPACE alambic:: DESTINATION ${ALAMBIC_PACKAGE})
  install(PROGRAMS
    "${ALAMBIC_TORCH_LIB}/libtorch_cpu.so" "${ALAMBIC_TORCH_LIB}/libc10.so"
    "${ALAMBIC_TORCH_LIB}/libgomp.so.1" "${ALAMBIC_CUDART_LIB}/libcudart.so.13"
    "${ALAMBIC_CUDART_LIB}/libcupti.so.13"
    DESTINATION ${ALAMBIC_LIBRARIES})
  # The cache's folder came in as a linker option, which CMake leaves in place.
  set(_torch "\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${ALAMBIC_LIBRARIES}/libalambic_torch.so")
  install(CODE "file(RPATH_SET FILE \"${_torch}\" NEW_RPATH \"\\$ORIGIN\")")
endif()

if(TARGET alambic_cuda)
  install(TARGETS alambic_cuda LIBRARY DESTINATION ${ALAMBIC_LIBRARIES} OPTIONAL)
  set(_cuda "\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${ALAMBIC_LIBRARIES}/libalambic_cuda.so")
  install(CODE "if(EXISTS \"${_cuda}\")
    file(RPATH_SET FILE \"${_cuda}\" NEW_RPATH \"\\$ORIGIN\")
  endif()")
endif()

# The rooms' headers, and the tables that some of them include. The command line is no library.
install(DIRECTORY "${PROJECT_SOURCE_DIR}/alambic/" "${CMAKE_BINARY_DIR}/generated/alambic/"
        DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/alambic"
        FILES_MATCHING PATTERN "*.h" PATTERN "*.def" PATTERN cli EXCLUDE PATTERN arrow EXCLUDE
        PATTERN cuda EXCLUDE)
configure_package_config_file(cmake/alambicConfig.cmake.in "${CMAKE_BINARY_DIR}/alambicConfig.cmake"
  INSTALL_DESTINATION ${ALAMBIC_PACKAGE} PATH_VARS ALAMBIC_LIBRARIES)
write_basic_package_version_file("${CMAKE_BINARY_DIR}/alambicConfigVersion.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_BINARY_DIR}/alambicConfig.cmake"
              "${CMAKE_BINARY_DIR}/alambicConfigVersion.cmake"
              "${PROJECT_SOURCE_DIR}/cmake/libtorch.cmake"
        DESTINATION ${ALAMBIC_PACKAGE})
install(FILES LICENSE NOTICE DESTINATION share/doc/alambic)

# Man pages and completions, written by the program itself.
install(CODE "set(ALAMBIC_PROGRAM \"$<TARGET_FILE:alambic>\")")
install(SCRIPT "${PROJECT_SOURCE_DIR}/cmake/install_pages.cmake")

if(ALAMBIC_TORCH)
  # The license texts of the wheels whose libraries are copied; caches made before 0.2 lack them.
  file(GLOB _wheels "${ALAMBIC_TORCH_DIR}/torch-*.dist-info" "${ALAMBIC_TORCH_DIR}/nvidia_cuda_*.dist-info")
  foreach(_wheel ${_wheels})
    install(DIRECTORY "${_wheel}" DESTINATION share/doc/alambic
            FILES_MATCHING REGEX "/(licenses/.*|LICENSE[^/]*|License[^/]*|NOTICE[^/]*)$")
  endforeach()
endif()
