# Debian's librhonabwy-dev ships a .pc file only; its header includes jansson's.
find_path(RHONABWY_INCLUDE_DIR rhonabwy.h)
find_library(RHONABWY_LIBRARY rhonabwy)
find_library(RHONABWY_JANSSON_LIBRARY jansson)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Rhonabwy
  REQUIRED_VARS RHONABWY_LIBRARY RHONABWY_JANSSON_LIBRARY RHONABWY_INCLUDE_DIR)
if(Rhonabwy_FOUND AND NOT TARGET Rhonabwy::Rhonabwy)
  add_library(Rhonabwy::Rhonabwy SHARED IMPORTED)
  set_target_properties(Rhonabwy::Rhonabwy PROPERTIES
    IMPORTED_LOCATION ${RHONABWY_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${RHONABWY_INCLUDE_DIR}
    INTERFACE_LINK_LIBRARIES "${RHONABWY_JANSSON_LIBRARY}")
endif()
