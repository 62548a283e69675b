# What is installed, and the Debian package: cpack -G DEB in the build folder.
include(GNUInstallDirs)
# Only what is installed has to be built.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)

# The server itself; `cmake --install BUILD --component server` is this alone.
install(TARGETS vartalap RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT server)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/web/
  DESTINATION ${CMAKE_INSTALL_DATADIR}/vartalap/web COMPONENT server)
install(FILES
  ${PROJECT_SOURCE_DIR}/deploy/alerts.yml
  ${PROJECT_SOURCE_DIR}/deploy/dashboard.json
  DESTINATION ${CMAKE_INSTALL_DATADIR}/vartalap COMPONENT server)

# The unit of the package is deploy/vartalap.service with another place of the
# binary and a user that stays, so that secrets of mode 600 can be its own.
file(READ ${PROJECT_SOURCE_DIR}/deploy/vartalap.service unit)
string(FIND "${unit}" "[Unit]" unit_begin)
string(SUBSTRING "${unit}" ${unit_begin} -1 unit)
string(REPLACE "/usr/local/bin/" "/usr/bin/" unit "${unit}")
string(REPLACE "DynamicUser=yes\n" "User=vartalap\nGroup=vartalap\n" packaged_unit "${unit}")
if(packaged_unit STREQUAL unit)
  message(FATAL_ERROR "deploy/vartalap.service has no DynamicUser=yes to replace")
endif()
file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/package/vartalap.service CONTENT "${packaged_unit}")
set_property(DIRECTORY APPEND PROPERTY
  CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/deploy/vartalap.service)

# Only of the package: `cmake --install` must not replace somebody's cluster.toml.
install(FILES ${PROJECT_BINARY_DIR}/package/vartalap.service
  DESTINATION lib/systemd/system COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES ${PROJECT_SOURCE_DIR}/deploy/debian/cluster.toml
  DESTINATION /etc/vartalap COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE
  DESTINATION share/doc/vartalap RENAME copyright COMPONENT debian EXCLUDE_FROM_ALL)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME vartalap)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_VENDOR vartalap)
set(CPACK_PACKAGE_CONTACT "The vartalap developers <vartalap@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "chat message delivery server")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
  "Delivers messages between WebSocket clients: what it has confirmed reaches every
device of its recipient, in order, whatever process dies.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL server debian)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS adduser)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${PROJECT_SOURCE_DIR}/deploy/debian/conffiles
  ${PROJECT_SOURCE_DIR}/deploy/debian/postinst
  ${PROJECT_SOURCE_DIR}/deploy/debian/prerm
  ${PROJECT_SOURCE_DIR}/deploy/debian/postrm)
include(CPack)
