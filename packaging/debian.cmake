# Two Debian packages by CPack: `cmake --build --preset release --target package`.
set(CPACK_GENERATOR "DEB;TGZ")
set(CPACK_PACKAGE_NAME ringfence)
if(NOT CPACK_PACKAGE_CONTACT)
  set(CPACK_PACKAGE_CONTACT "The ringfence project <maintainers@ringfence.invalid>")
endif()
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "keep a fixed share of compute for alignment work")
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packages)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL runtime development)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_ARCHIVE_COMPONENT_INSTALL OFF)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME ringfence)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION science)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_DEPENDS openmpi-bin)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_RECOMMENDS gnuplot-nox)
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION
"ringfence simulates, keeps and proves a promise: that a share of the devices
of a cluster goes to one account. It lives inside one MPI allocation, hands out
its ranks to training jobs, lends an idle share and takes it back, and writes
every decision to a signed ledger that a stranger can check.")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libringfence-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
  "libopenmpi-dev, libhdf5-openmpi-dev, libscalapack-openmpi-dev, libconfig-dev, libdnnl-dev, ocl-icd-opencl-dev, libopenblas-dev, libsodium-dev, libjansson-dev, zlib1g-dev")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION
"Static libraries and headers of ringfence: ledgers, pledges, policies and
audits (rf_core), and what spans MPI ranks (rf_mpi); for pkg-config and CMake.")

# Debian wants to know who may do what with it, and what has changed.
configure_file(copyright.in copyright @ONLY)
configure_file(changelog.in changelog.Debian @ONLY)
find_program(RF_GZIP gzip)
if(RF_GZIP)
  execute_process(COMMAND ${RF_GZIP} -9nf changelog.Debian WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
  foreach(package runtime/ringfence development/libringfence-dev)
    get_filename_component(component ${package} DIRECTORY)
    get_filename_component(name ${package} NAME)
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/copyright ${CMAKE_CURRENT_BINARY_DIR}/changelog.Debian.gz
      DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${name} COMPONENT ${component})
  endforeach()
endif()

# The same source gives the same package: files in it bear the date of the version.
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/cpack.cmake
  "if(NOT DEFINED ENV{SOURCE_DATE_EPOCH})\n  set(ENV{SOURCE_DATE_EPOCH} ${RF_EPOCH})\nendif()\n")
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_CURRENT_BINARY_DIR}/cpack.cmake)
