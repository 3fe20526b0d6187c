// What desktops and servers bring: HTTP of the JDK.
plugins {
    `java-library`
    alias(libs.plugins.kotlin.jvm)
}

kotlin {
    explicitApi()
    jvmToolchain(17)
    // Tests need a built library and an office: ./test compiles and runs them.
    sourceSets.test { kotlin.setSrcDirs(emptyList<String>()) }
}

dependencies {
    api(project(":outrider"))
    runtimeOnly(libs.jna)
}
